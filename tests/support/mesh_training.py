"""A tiny GPT that is trained on a mesh, for processes of several devices that tests start."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from recipes.config import GPTConfig, Recipe
from recipes.data.batches import training_batches
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.trainer.loop import Trainer
from recipes.trainer.settings import OptimizerSettings, TrainerSettings
from recipes.trainer.sharding import make_mesh
from recipes.trainer.state import TrainState

EIGHT = "--xla_force_host_platform_device_count=8"
MODEL = GPTConfig(
    num_layers=1, num_heads=4, features=32, context=16, vocab_size=64, dropout_rate=0.1
)
RECIPE = Recipe(
    batch_size=16,
    model=MODEL,
    optimizer=OptimizerSettings(warmup_steps=2),
    trainer=TrainerSettings(max_steps=4, log_every=2, eval_every=4),
)


def start(mesh: str | None, **changes: Any) -> TrainState:
    """The state before the first step, on a mesh."""
    recipe = replace(RECIPE, **changes)
    return initial_state(recipe, build_gpt(recipe.model), mesh=make_mesh(mesh))


def losses(state: TrainState, steps: int = 4, accumulate: int = 1) -> tuple[list[float], Trainer]:
    """Train to a step on tokens that are the same everywhere; the losses of all rows."""
    batches = training_batches(
        np.random.default_rng(0).integers(0, 64, 400), context=16, batch_size=16, seed=0
    )
    for _ in range(int(state.step)):
        next(batches)
    settings = replace(RECIPE.trainer, max_steps=steps, log_every=1, accumulate=accumulate)
    trainer = Trainer(state, loss=next_token_loss, settings=settings)
    return [row["train_loss"] for row in trainer.train(batches)], trainer


def bytes_of(tree: Any, device: int = 0) -> int:
    """Bytes that one device holds."""
    leaves: Iterable[jax.Array] = jax.tree.leaves(tree)
    return sum(leaf.addressable_shards[device].data.nbytes for leaf in leaves)
