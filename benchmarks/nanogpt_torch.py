"""Steps per second of `shakespeare-char-cpu` against an eager PyTorch GPT of the same shape.

    python benchmarks/nanogpt_torch.py --torch-python PATH

PyTorch lives in an environment of its own, whose interpreter is named. The two sides take turns,
A B A B, each turn a fresh process on the same cores: a machine that slows down or speeds up meets
both, and the ratio is taken turn by turn.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from recipes.data import build_tokenizer, load_corpus
from recipes.data.batches import split_tokens
from recipes.presets import preset

WORKERS = Path(__file__).parent / "workers"


@dataclass(frozen=True)
class Comparison:
    """What is compared, and for how long.

    Attributes:
        torch_python: Interpreter of an environment that has PyTorch.
        data: Corpus, by name or path.
        rounds: Turns of each side.
        warmup: Steps of a turn before the clock starts; compilation falls among them.
        steps: Steps of a turn under the clock.
        cores: Cores, and threads, that each side may use.
    """

    torch_python: Path
    data: str = "shakespeare"
    rounds: int = 5
    warmup: int = 100
    steps: int = 400
    cores: int = 2


def prepare(comparison: Comparison, folder: Path) -> list[str]:
    """The arguments of both workers: settings with nothing left open, tokens to train on."""
    recipe = preset("shakespeare-char-cpu")
    corpus = load_corpus(comparison.data)
    tokenizer = build_tokenizer(recipe.tokenizer, corpus.text)
    tokens, _ = split_tokens(tokenizer.encode(corpus.text), recipe.model.context)
    np.asarray(tokens, np.int64).tofile(folder / "tokens")
    model = dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size)
    options = {
        "--settings": json.dumps(dataclasses.replace(recipe, model=model).as_json()),
        "--tokens": folder / "tokens",
        "--warmup": comparison.warmup,
        "--steps": comparison.steps,
        "--threads": comparison.cores,
    }
    return [str(word) for option in options.items() for word in option]


def turn(python: str | Path, worker: str, arguments: list[str], cores: int) -> dict[str, Any]:
    """Runs one side once, in a fresh process, and returns what it measured.

    `elsewhere` is the share of the cores that other programs took meanwhile.
    """
    started, busy_before, own_before = time.perf_counter(), busy_seconds(), own_seconds()
    finished = subprocess.run(
        [python, WORKERS / worker, *arguments],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(cores), "JAX_PLATFORMS": "cpu"},
    )
    elsewhere = busy_seconds() - busy_before - (own_seconds() - own_before)
    share = max(0.0, elsewhere / (cores * (time.perf_counter() - started)))
    return {**json.loads(finished.stdout.splitlines()[-1]), "elsewhere": share}


def busy_seconds() -> float:
    """Seconds that the cores of this process have worked, whoever they worked for."""
    wanted = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    # user, nice, system; then idle and waiting; then interrupts.
    ticks = sum(
        int(value)
        for name, *values in lines
        if name in wanted
        for value in (*values[:3], *values[5:7])
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Seconds that cores have worked for this process and the workers that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def spread(values: list[float]) -> str:
    """Median, smallest and largest, as text."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    comparison = tyro.cli(Comparison, description=__doc__)
    # Inherited by the workers; XLA makes as many threads as it may use cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: comparison.cores])
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        arguments = prepare(comparison, Path(folder))
        for number in range(1, comparison.rounds + 1):
            a = turn(sys.executable, "recipe.py", arguments, comparison.cores)
            b = turn(comparison.torch_python, "torch_gpt.py", arguments, comparison.cores)
            if a["parameters"] != b["parameters"]:
                sys.exit(f"{a['parameters']} and {b['parameters']} parameters: not the same model.")
            turns.append((a, b))
            print(
                f"round {number}: {a['steps_per_second']:.2f} and {b['steps_per_second']:.2f} "
                f"steps/s; training loss {a['loss']:.3f} and {b['loss']:.3f}; "
                f"other programs took {a['elsewhere']:.0%} and {b['elsewhere']:.0%} of the cores",
                flush=True,
            )
    ours, theirs = zip(*turns, strict=True)
    rates = [[side["steps_per_second"] for side in sides] for sides in (ours, theirs)]
    ratios = [x / y for x, y in zip(*rates, strict=True)]
    print(f"\n{ours[0]['parameters']:,} parameters, {comparison.cores} cores")
    print("median (smallest to largest)")
    print(f"{ours[0]['versions']:<24}{spread(rates[0])} steps/s")
    print(f"{theirs[0]['versions']:<24}{spread(rates[1])} steps/s")
    print(f"{'ratio':<24}{spread(ratios)}")


if __name__ == "__main__":
    main()
