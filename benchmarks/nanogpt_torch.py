"""Training speed of a preset against a PyTorch GPT of the same shape, at its best.

    python benchmarks/nanogpt_torch.py --torch-python PATH --preset shakespeare-char

PyTorch lives in an environment of its own, whose interpreter is named. Each side runs in all its
modes, float32 and bfloat16, eager and compiled, and its fastest counts. Modes take turns, each turn
a fresh process on the same cores: a machine that slows down or speeds up meets all of them, and the
ratio is taken round by round.
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
from typing import Any, Literal

import numpy as np
import tyro

from recipes.config import Recipe
from recipes.data import build_tokenizer, load_corpus
from recipes.data.batches import split_tokens
from recipes.presets import preset

WORKERS = Path(__file__).parent / "workers"
# Steps before the clock starts, and under it. Those of the GPU's model take seconds on a CPU.
STEPS = {"shakespeare-char": (2, 6)}
USUAL = 100, 400
# Modes of PyTorch by the options of its worker.
PEERS = {
    "eager": [],
    "compiled": ["--compile"],
    "autocast": ["--autocast"],
    "compiled-autocast": ["--compile", "--autocast"],
    "compiled-parts": ["--compile", "--parts"],
    "compiled-autocast-parts": ["--compile", "--autocast", "--parts"],
}


Mode = Literal[
    "eager",
    "compiled",
    "autocast",
    "compiled-autocast",
    "compiled-parts",
    "compiled-autocast-parts",
]


@dataclass(frozen=True)
class Comparison:
    """What is compared, and for how long.

    Attributes:
        torch_python: Interpreter of an environment that has PyTorch; for `compiled`, g++ too.
        preset: Preset whose model, batch and optimiser both sides have.
        data: Corpus, by name or path.
        ours: Precisions of this project.
        peers: Modes of PyTorch; those with parts split a batch into as many as this project, and
            are left out where that is one.
        rounds: Turns of each mode.
        warmup: Steps of a turn before the clock starts; compilation falls among them.
        steps: Steps of a turn under the clock.
        cores: Cores, and threads, that each mode may use.
    """

    torch_python: Path
    preset: str = "shakespeare-char-cpu"
    data: str = "shakespeare"
    ours: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    peers: tuple[Mode, ...] = tuple(PEERS)
    rounds: int = 3
    warmup: int | None = None
    steps: int | None = None
    cores: int = 2


def settled(comparison: Comparison, folder: Path) -> Recipe:
    """Return the settings with the vocabulary known; write the tokens to train on to a file."""
    recipe = preset(comparison.preset)
    corpus = load_corpus(comparison.data)
    tokenizer = build_tokenizer(recipe.tokenizer, corpus.text)
    tokens, _ = split_tokens(tokenizer.encode(corpus.text), recipe.model.context)
    np.asarray(tokens, np.int64).tofile(folder / "tokens")
    model = dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size)
    return dataclasses.replace(recipe, model=model).on("cpu")


def commands(comparison: Comparison, recipe: Recipe, folder: Path) -> dict[str, list[str]]:
    """The command of each mode, by its name."""
    usual = STEPS.get(comparison.preset, USUAL)
    given = comparison.warmup, comparison.steps
    warmup, steps = (n if n is not None else usual[i] for i, n in enumerate(given))

    def options(dtype: str) -> list[str]:
        model = dataclasses.replace(recipe.model, dtype=dtype)
        words = {
            "--settings": json.dumps(dataclasses.replace(recipe, model=model).as_json()),
            "--tokens": folder / "tokens",
            "--warmup": warmup,
            "--steps": steps,
            "--threads": comparison.cores,
        }
        return [str(word) for option in words.items() for word in option]

    ours = {
        dtype: [sys.executable, str(WORKERS / "recipe.py"), *options(dtype)]
        for dtype in comparison.ours
    }
    torch = [str(comparison.torch_python), str(WORKERS / "torch_gpt.py"), *options("float32")]
    whole = recipe.trainer.accumulate == 1
    peers = [mode for mode in comparison.peers if not (whole and "--parts" in PEERS[mode])]
    return ours | {mode: [*torch, *PEERS[mode]] for mode in peers}


def turn(command: list[str], cores: int) -> dict[str, Any]:
    """Runs one mode once, in a fresh process, and returns what it measured.

    `elsewhere` is the share of the cores that other programs took meanwhile.
    """
    started, busy_before, own_before = time.perf_counter(), busy_seconds(), own_seconds()
    finished = subprocess.run(
        command,
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
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def fastest(turns: dict[str, list[dict[str, Any]]], modes: tuple[str, ...]) -> str:
    """The mode with the highest median rate."""
    return max(modes, key=lambda m: statistics.median(t["steps_per_second"] for t in turns[m]))


def main() -> None:
    comparison = tyro.cli(Comparison, description=__doc__)
    # Inherited by the workers; XLA makes as many threads as it may use cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: comparison.cores])
    with tempfile.TemporaryDirectory() as folder:
        recipe = settled(comparison, Path(folder))
        modes = commands(comparison, recipe, Path(folder))
        turns: dict[str, list[dict[str, Any]]] = {mode: [] for mode in modes}
        for number in range(1, comparison.rounds + 1):
            for mode, command in modes.items():
                measured = turn(command, comparison.cores)
                turns[mode].append(measured)
                print(
                    f"round {number}, {mode}: {measured['steps_per_second']:.3g} steps/s, "
                    f"loss {measured['loss']:.3f}, {measured['peak_bytes'] / 1e9:.2f} GB; "
                    f"other programs took {measured['elsewhere']:.0%} of the cores",
                    flush=True,
                )
    counts = {measured["parameters"] for found in turns.values() for measured in found}
    if len(counts) > 1:
        sys.exit(f"{sorted(counts)} parameters: not the same model.")
    report(comparison, recipe, turns)


def report(comparison: Comparison, recipe: Recipe, turns: dict[str, list[dict[str, Any]]]) -> None:
    """Print a row for each mode, and the ratio of the fastest of both sides."""
    parameters = next(iter(turns.values()))[0]["parameters"]
    tokens = recipe.batch_size * recipe.model.context
    print(f"\n{comparison.preset}: {parameters:,} parameters, {tokens:,} tokens a step,")
    print(f"{comparison.cores} cores; median (smallest to largest) of {comparison.rounds}")
    for mode, found in turns.items():
        rates = [measured["steps_per_second"] for measured in found]
        memory = max(measured["peak_bytes"] for measured in found) / 1e9
        flops = 6 * parameters * tokens * statistics.median(rates)
        peaks = [measured["peak_flops"] for measured in found if "peak_flops" in measured]
        share = f", {flops / max(peaks):.0%} of {max(peaks) / 1e9:.0f}" if peaks else ""
        print(
            f"{found[0]['versions']:<22}{mode:<25}{spread(rates)} steps/s; "
            f"{flops / 1e9:.0f} GFLOP/s{share}; {memory:.2f} GB"
        )
    peers = tuple(mode for mode in comparison.peers if mode in turns)
    if comparison.ours and peers:
        a, b = fastest(turns, comparison.ours), fastest(turns, peers)
        pairs = zip(turns[a], turns[b], strict=True)
        ratios = [x["steps_per_second"] / y["steps_per_second"] for x, y in pairs]
        print(f"{a} / {b}: {spread(ratios)}")


if __name__ == "__main__":
    main()
