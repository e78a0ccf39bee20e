"""Losses with each fast path on and off, beside what another seed changes.

    python benchmarks/curves.py

Trains a small GPT with dropout from several seeds: as written, and with each of the ways that make
training faster or smaller. A way passes where its mean loss differs from that of the model as
written by no more than the losses of seeds spread.
"""

import statistics
import sys
from dataclasses import dataclass, replace

import jax
import numpy as np
import tyro

from blocks import override
from blocks.attention.kernels import BandedAttention
from recipes.config import Recipe
from recipes.data import build_tokenizer, load_corpus
from recipes.data.batches import split_tokens, training_batches
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.presets import preset
from recipes.runs.steps import trainer_options
from recipes.trainer.loop import Trainer

# What each way changes: settings of the trainer, settings of the model, fields of the model.
WAYS = {
    "as written": ({"accumulate": 1}, {}, {}),
    "in parts": ({"accumulate": 4}, {}, {}),
    "bfloat16": ({"accumulate": 1}, {"dtype": "bfloat16"}, {}),
    "attention in bands": ({"accumulate": 1}, {}, {"implementation": BandedAttention()}),
    "one layer compiled for all": ({"accumulate": 1}, {"scan": True}, {}),
    "layers computed again": ({"accumulate": 1}, {"remat": "full"}, {}),
}


@dataclass(frozen=True)
class Curves:
    """What is trained.

    Attributes:
        data: Corpus, by name or path.
        steps: Steps of a run.
        last: Steps at its end whose losses are averaged.
        seeds: Runs of each way.
    """

    data: str = "manual"
    steps: int = 300
    last: int = 50
    seeds: int = 5


def last_loss(recipe: Recipe, fields: dict[str, object], tokens: np.ndarray) -> float:
    """Mean training loss of the steps of a run's last row."""
    model = build_gpt(recipe.model)
    model = override(model, **fields) if fields else model
    state = initial_state(recipe, model)
    context, size = recipe.model.context, recipe.batch_size
    batches = training_batches(tokens, context=context, batch_size=size, seed=recipe.seed)
    trainer = Trainer(state, settings=recipe.trainer, **trainer_options(recipe, next_token_loss))
    *_, row = trainer.train(batches)
    return row["train_loss"]


def main() -> None:
    curves = tyro.cli(Curves, description=__doc__)
    recipe, corpus = preset("quick"), load_corpus(curves.data)
    tokenizer = build_tokenizer(recipe.tokenizer, corpus.text)
    tokens = np.asarray(split_tokens(tokenizer.encode(corpus.text), recipe.model.context)[0])
    model = replace(recipe.model, vocab_size=tokenizer.vocab_size, dropout_rate=0.1)
    found: dict[str, list[float]] = {}
    for name, (trainer, changed, fields) in WAYS.items():
        settings = replace(recipe.trainer, max_steps=curves.steps, log_every=curves.last, **trainer)
        way = replace(recipe, model=replace(model, **changed), trainer=settings)
        seeds = [replace(way, seed=seed) for seed in range(curves.seeds)]
        found[name] = [last_loss(each, fields, tokens) for each in seeds]
        jax.clear_caches()
    first = found["as written"]
    spread = max(first) - min(first)
    print(f"mean loss of steps {curves.steps - curves.last + 1} to {curves.steps}, in nats")
    failed = False
    for name, losses in found.items():
        difference = statistics.mean(losses) - statistics.mean(first)
        failed |= abs(difference) > spread
        print(f"{name:<28}{statistics.mean(losses):.4f}{difference:+9.4f}")
    print(f"seeds as written spread by {spread:.4f}")
    if failed:
        sys.exit("A way differs by more than seeds do.")


if __name__ == "__main__":
    main()
