"""Seconds until something happens: imports, the command line's help, a sample of a run.

python benchmarks/start.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TURNS = 7
NANOGPT = ("-m", "recipes.nanogpt")
# Short of the minute that the preset takes: what is drawn is bad, and drawn as fast.
TRAINING = (*NANOGPT, "train", "quick", "--max-steps", "20", "--run-dir")
DRAWING = ("--tokens", "1000", "--prompt", "The ")


def seconds(*words: object, cache: Path) -> float:
    """Run Python until it ends, with a cache folder of its own; return the time it took."""
    # As an installed package has it, Python's own bytecode stands beside the sources.
    own = {"XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": ""}
    started = time.perf_counter()
    command = [sys.executable, *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **own})
    return time.perf_counter() - started


def told(values: Sequence[float]) -> str:
    """The median, and the smallest and the largest."""
    return f"{statistics.median(values):6.3f} s   ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept, run = Path(folder) / "kept", Path(folder) / "run"
        subprocess.run([sys.executable, *TRAINING, str(run)], check=True, stdout=subprocess.DEVNULL)
        sampling = (*NANOGPT, "sample", run, *DRAWING)
        seconds(*sampling, cache=kept)
        measured: dict[str, list[float]] = {}
        for turn in range(TURNS):
            for name, words, cache in [
                ("python", ("-c", ""), kept),
                ("import flax", ("-c", "import flax"), kept),
                ("import blocks", ("-c", "import blocks"), kept),
                ("--help", (*NANOGPT, "--help"), kept),
                ("sample, nothing compiled", sampling, Path(folder) / f"empty{turn}"),
                ("sample, compiled before", sampling, kept),
            ]:
                measured.setdefault(name, []).append(seconds(*words, cache=cache))
    pairs = zip(measured["import blocks"], measured["import flax"], strict=True)
    measured["import blocks - import flax"] = [blocks - flax for blocks, flax in pairs]
    print(f"whole processes, median (smallest to largest) of {TURNS} turns")
    for name, values in measured.items():
        print(f"{name:<28}{told(values)}")


if __name__ == "__main__":
    main()
