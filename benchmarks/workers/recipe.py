"""Trains a recipe as its command line does, and prints how fast it went.

A process of its own, started by `nanogpt_torch.py`: batches from Grain, the trainer's loop and its
metrics, all under the clock; evaluations and checkpoints are left out.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import jax
import numpy as np

from recipes.config import Recipe
from recipes.data.batches import training_batches
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.trainer.loop import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=Path, required=True, help="the corpus as raw int64")
    parser.add_argument("--settings", type=json.loads, required=True, help="a recipe as JSON")
    parser.add_argument("--warmup", type=int, required=True, help="steps before the clock starts")
    parser.add_argument("--steps", type=int, required=True, help="steps under the clock")
    parser.add_argument("--threads", type=int, required=True, help="checked, not set")
    arguments = parser.parse_args()

    recipe = Recipe.from_json(arguments.settings)
    last = arguments.warmup + arguments.steps
    settings = dataclasses.replace(recipe.trainer, max_steps=last, eval_every=last)
    state = initial_state(recipe, build_gpt(recipe.model))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    batches = training_batches(
        np.fromfile(arguments.tokens, np.int64),
        context=recipe.model.context,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    trainer = Trainer(state, loss=next_token_loss, settings=settings)
    rows = []
    started = first = 0.0
    for row in trainer.train(batches):
        if not started and row["step"] >= arguments.warmup:
            started, first = time.perf_counter(), row["step"]
        rows.append(row)
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "steps_per_second": (last - first) / seconds,
                "loss": float(np.mean([row["train_loss"] for row in rows[-5:]])),
                "parameters": parameters,
                "versions": f"JAX {jax.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
