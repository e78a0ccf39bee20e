"""A trace of training steps, and the operations that took most of their time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax

from recipes.config import Recipe
from recipes.data import Corpus
from recipes.data.batches import training_batches
from recipes.data.splits import split_corpus
from recipes.kernels import on_mesh
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.runs.folder import RunFolder
from recipes.runs.record import settled
from recipes.runs.starting import start_from, tokenizer_for
from recipes.runs.steps import trainer_options
from recipes.trainer.loop import Trainer
from recipes.trainer.sharding import make_mesh


class Traced(NamedTuple):
    """A trace of training steps.

    Attributes:
        path: The file, for a viewer of traces.
        seconds: Time of the steps.
        tokens: Targets of the steps.
    """

    path: Path
    seconds: float
    tokens: int


def trace_steps(
    recipe: Recipe, corpus: Corpus, folder: RunFolder, *, steps: int, out: Path
) -> Traced:
    """Train as many steps twice, and trace the second time, when all is compiled.

    Args:
        recipe: The settings; parameters are new, or those of `init_from`.
        corpus: The text.
        folder: A run whose tokenizer is read, or a folder that is not a run.
        steps: Number of steps.
        out: Folder that the trace is written to.

    Raises:
        RecipeError: A mistake in the settings or the corpus.
        OSError: The folder cannot be written.
    """
    start = start_from(recipe)
    tokenizer = start.tokenizer if start else tokenizer_for(recipe.tokenizer, corpus, folder)
    recipe = settled(recipe, folder, tokenizer, corpus)
    tokens, _ = split_corpus(corpus, tokenizer, recipe.model.context)
    batches = training_batches(
        tokens,
        context=recipe.model.context,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        documents=recipe.documents,
    )
    model = start.model if start else on_mesh(build_gpt(recipe.model), recipe.trainer.mesh)
    params, mesh = start.params if start else None, make_mesh(recipe.trainer.mesh)
    settings = replace(recipe.trainer, max_steps=2 * steps, log_every=steps)
    state = initial_state(recipe, model, params, mesh)
    trainer = Trainer(state, settings=settings, **trainer_options(recipe, next_token_loss))
    rows = trainer.train(batches)
    before = next(rows)
    out.mkdir(parents=True, exist_ok=True)
    with jax.profiler.trace(str(out)):
        row = next(rows)
    (path,) = sorted(out.rglob("*.xplane.pb"))[-1:]
    return Traced(path, row["seconds"] - before["seconds"], row["tokens"] - before["tokens"])


def busiest(path: Path, count: int = 10) -> list[tuple[str, float]]:
    """The operations of a trace that took most time, and the seconds of each over all devices."""
    seconds = defaultdict[str, float](float)
    for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                if any(name == "hlo_op" for name, _ in event.stats):
                    seconds[event.name] += event.duration_ns / 1e9
    return sorted(seconds.items(), key=lambda pair: -pair[1])[:count]
