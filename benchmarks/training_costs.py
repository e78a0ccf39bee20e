"""What a training run spends on anything but steps: saves, evaluations, samples, waiting for data.

python benchmarks/training_costs.py
"""

import dataclasses
import itertools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from recipes import nanogpt
from recipes.config import Recipe
from recipes.data import build_tokenizer, load_corpus
from recipes.data.batches import training_batches
from recipes.presets import preset
from recipes.runs.folder import claimed
from recipes.runs.session import Session
from recipes.trainer.background import BackgroundSaves
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer

PRESET = "shakespeare-char-cpu"
TURNS, SAVE_EVERY = 25, 50
BIG_TOKENS = 2**29  # of two bytes: 1 GiB


def cost_of_saves(recipe: Recipe, tokens: np.ndarray) -> tuple[list[float], float]:
    """Share of the time by which saves prolong training, turn by turn; seconds of a step.

    Every other block of `SAVE_EVERY` steps of one run begins with a save, so that a turn compares
    two that lie beside each other, after the same compilation.
    """
    settings = dataclasses.replace(recipe.trainer, max_steps=(2 * TURNS + 2) * SAVE_EVERY)
    trainer = Trainer(
        nanogpt.initial_state(recipe, nanogpt.build_gpt(recipe.model)),
        loss=nanogpt.next_token_loss,
        settings=settings,
    )
    batches = training_batches(
        tokens, context=recipe.model.context, batch_size=recipe.batch_size, seed=0
    )
    times = []
    with (
        tempfile.TemporaryDirectory() as folder,
        BackgroundSaves(Checkpoints(Path(folder) / "run")) as saves,
    ):
        started = time.perf_counter()
        for row in trainer.train(batches):
            if row["step"] % SAVE_EVERY == 0:
                saves.wait()
                times.append(time.perf_counter() - started)
                started = time.perf_counter()
                if len(times) % 2:
                    saves.save(trainer.state, {"position": trainer.position})
    # The first steps are compiled and the first save imports what it needs.
    with_saves, plain = times[3::2], times[2::2]
    shares = [slower / other - 1.0 for slower, other in zip(with_saves, plain, strict=True)]
    return shares, statistics.median(plain) / SAVE_EVERY


def seconds_of_a_batch(recipe: Recipe, tokens: np.ndarray) -> float:
    """Median seconds in which a batch is drawn, all of which would be waiting in the worst case."""
    batches = training_batches(
        tokens, context=recipe.model.context, batch_size=recipe.batch_size, seed=0
    )
    times = []
    for _ in itertools.repeat(None, 500):
        started = time.perf_counter()
        next(batches)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def shares_of_a_run(recipe: Recipe) -> dict[str, float]:
    """Seconds of a whole run by what they were spent on."""
    spent = defaultdict[str, float](float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            result = function(*arguments, **options)
            if isinstance(result, Iterator):
                result = iter(list(result))
            spent[name] += time.perf_counter() - started
            return result

        return call

    nanogpt.evaluate = timed("evaluation", nanogpt.evaluate)
    nanogpt.sample = timed("samples", nanogpt.sample)
    Session.keep = timed("metrics and saves", Session.keep)
    Session.show = timed("sample files and pictures", Session.show)
    corpus = load_corpus(*recipe.data)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with claimed(Path(folder) / "run", resume=False) as run:
            nanogpt.train(recipe, corpus, run)
        spent["all of it"] = time.perf_counter() - started
    return dict(spent)


def main() -> None:
    recipe = dataclasses.replace(preset(PRESET), data=tuple(sys.argv[1:]) or ("manual",))
    text = load_corpus(*recipe.data).text
    tokenizer = build_tokenizer(recipe.tokenizer, text)
    sizes = dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size)
    recipe = dataclasses.replace(recipe, model=sizes)
    tokens = np.asarray(tokenizer.encode(text))
    print(f"{PRESET}, JAX {jax.__version__}, {jax.devices()[0].device_kind}, turn by turn:")
    shares, step = cost_of_saves(recipe, tokens)
    spread = f"{min(shares):+.1%} to {max(shares):+.1%}"
    print(
        f"a save every {SAVE_EVERY} steps: {statistics.median(shares):+.1%} of the time, {spread}"
    )
    batch = seconds_of_a_batch(recipe, tokens)
    print(f"a batch: {batch * 1e3:.3f} ms, {batch / step:.2%} of a step of {step * 1e3:.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        big = np.memmap(Path(folder) / "tokens", np.uint16, "w+", shape=(BIG_TOKENS,))
        draw = np.random.default_rng(0)
        for start in range(0, BIG_TOKENS, 2**24):
            big[start : start + 2**24] = draw.integers(0, 2**16, 2**24, np.uint16)
        batch = seconds_of_a_batch(recipe, big)
        print(f"of 1 GiB of tokens on disk: {batch * 1e3:.3f} ms, {batch / step:.2%}")
    spent = shares_of_a_run(recipe)
    whole = spent.pop("all of it")
    for name, seconds in spent.items():
        print(f"{name}: {seconds:.1f} s, {seconds / whole:.1%} of the run of {whole:.0f} s")
    print(f"together: {sum(spent.values()) / whole:.1%}")


if __name__ == "__main__":
    main()
