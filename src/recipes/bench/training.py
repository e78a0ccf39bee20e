"""Steps of training, measured as `train` runs them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from recipes.bench.figures import Spread, Training
from recipes.bench.machine import memory_bytes
from recipes.config import Recipe
from recipes.data.batches import training_batches
from recipes.nanogpt import initial_state, next_token_loss
from recipes.runs.hooks import forward_flops
from recipes.runs.steps import trainer_options
from recipes.trainer.loop import Trainer
from recipes.trainer.sharding import make_mesh

# More than any benchmark takes.
MANY_STEPS = 10**9
TOKENS = 2**20
# Operations of a step that takes a CPU a good part of a second.
LONG_STEP = 1e11
KEEPS = "jax_enable_compilation_cache"


def measure_training(
    recipe: Recipe, model: nn.Module, vocab_size: int, *, turns: int, seconds: float
) -> tuple[Training, Any]:
    """Train on random tokens.

    Args:
        recipe: The settings.
        model: The model.
        vocab_size: Number of token ids.
        turns: How often the speed is measured.
        seconds: How long each time at least; a row of steps at least.

    Returns:
        What was measured, and the parameters.
    """
    context, settings = recipe.model.context, replace(recipe.trainer, max_steps=MANY_STEPS)
    flops = 3 * forward_flops(model, context)
    if jax.default_backend() == "cpu" and flops * recipe.batch_size * context > LONG_STEP:
        settings = replace(settings, log_every=1)  # several in one dispatch save nothing
    tokens = np.random.default_rng(0).integers(0, vocab_size, TOKENS + context)
    batches = training_batches(tokens, context=context, batch_size=recipe.batch_size, seed=0)
    with _without_kept_programs():
        started = time.perf_counter()
        state = initial_state(recipe, model, None, make_mesh(recipe.trainer.mesh))
        jax.block_until_ready(state)
        initialised = time.perf_counter() - started
        options = trainer_options(recipe, next_token_loss)
        trainer = Trainer(state, settings=settings, **options)
        del state  # the trainer's buffers are donated
        rows = trainer.train(batches)
        row, rates = next(rows), list[float]()
    for _ in range(turns):
        before, row = row, next(rows)
        while row["seconds"] - before["seconds"] < seconds:
            row = next(rows)
        rates.append((row["step"] - before["step"]) / (row["seconds"] - before["seconds"]))
    training = Training(
        dtype="float32" if recipe.init_from else recipe.model.dtype,
        steps_per_second=Spread.of(rates),
        tokens_per_step=recipe.batch_size * context,
        flops_per_token=flops,
        initialise_seconds=initialised,
        compile_seconds=trainer.compile_seconds,
        memory_bytes=memory_bytes(),
    )
    return training, trainer.state.params


@contextlib.contextmanager
def _without_kept_programs() -> Iterator[None]:
    """Compile as at the very first start."""
    before = getattr(jax.config, KEEPS)
    _keep_programs(False)
    try:
        yield
    finally:
        _keep_programs(before)


def _keep_programs(whether: bool) -> None:
    jax.config.update(KEEPS, whether)
    compilation_cache.reset_cache()  # JAX reads the option at its first compilation alone
