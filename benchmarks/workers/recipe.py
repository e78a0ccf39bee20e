"""Trains a recipe as its command line does, and prints how fast it went.

A process of its own, started by `nanogpt_torch.py`: batches from Grain, the trainer's loop and its
metrics, all under the clock; evaluations and checkpoints are left out.
"""

import argparse
import dataclasses
import json
import resource
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from recipes.config import Recipe
from recipes.data.batches import training_batches
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.runs.steps import trainer_options
from recipes.trainer.loop import Trainer

# Times that each product is computed; the fastest counts.
TIMES = 20


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
    often = min(recipe.trainer.log_every, arguments.warmup)
    settings = dataclasses.replace(recipe.trainer, max_steps=last, eval_every=last, log_every=often)
    state = initial_state(recipe, build_gpt(recipe.model))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    batches = training_batches(
        np.fromfile(arguments.tokens, np.int64),
        context=recipe.model.context,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    trainer = Trainer(state, settings=settings, **trainer_options(recipe, next_token_loss))
    rows = []
    started = first = 0.0
    for row in trainer.train(batches):
        if not started and row["step"] >= arguments.warmup:
            started, first = time.perf_counter(), row["step"]
        rows.append(row)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "steps_per_second": (last - first) / seconds,
                "loss": float(np.mean([row["train_loss"] for row in rows[-5:]])),
                "parameters": parameters,
                "peak_bytes": peak,
                "peak_flops": peak_flops(recipe),
                "versions": f"JAX {jax.__version__}",
            }
        )
    )


def peak_flops(recipe: Recipe) -> float:
    """Operations per second in the products of the MLP, in the fastest form and direction."""
    rows, width = recipe.part_size * recipe.model.context, recipe.model.features
    shapes = {(rows, width, 4 * width), (rows, 4 * width, width)}
    return max(rate(shape, recipe.model.dtype) for shape in shapes)


def rate(shape: tuple[int, int, int], dtype: str) -> float:
    """Operations per second of one product with float32 sums."""
    rows, inner, columns = shape
    left, right = (
        jax.random.normal(jax.random.key(0), size, dtype)
        for size in ((rows, inner), (inner, columns))
    )

    @jax.jit
    def product(left: jax.Array, right: jax.Array) -> jax.Array:
        return jax.lax.dot(left, right, preferred_element_type=jnp.float32)

    product(left, right).block_until_ready()
    spent = []
    for _ in range(TIMES):
        started = time.perf_counter()
        product(left, right).block_until_ready()
        spent.append(time.perf_counter() - started)
    return 2 * rows * inner * columns / min(spent)


if __name__ == "__main__":
    main()
