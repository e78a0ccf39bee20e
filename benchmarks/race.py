"""Seconds to a validation loss of Tiny Shakespeare: `recipes.speedrun` against nanoGPT in PyTorch.

    python benchmarks/race.py --torch-python PATH --data FILE

Both sides are whole processes, from start to exit, ours with compilation and without any cache of
programs. PyTorch's trains nanoGPT's model for a CPU with nanoGPT's settings for 2,000 steps. They
take turns, and the ratio is taken turn by turn.
"""

import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

WORKER = Path(__file__).parent / "workers" / "torch_race.py"


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how often.

    Attributes:
        torch_python: Interpreter of an environment that has PyTorch.
        data: The text.
        target: Loss to reach, in nats per character.
        rounds: Turns of each side.
        cores: Cores, and threads, that each side may use.
        compiled: Compile PyTorch's model.
        bfloat16: Have PyTorch compute products in bfloat16.
        alone: Run our side only.
        out: File for the results, as JSON.
    """

    data: Path
    torch_python: Path = Path("python")
    target: float = 1.886
    rounds: int = 3
    cores: int = 2
    compiled: bool = False
    bfloat16: bool = False
    alone: bool = False
    out: Path | None = None


def clocked(command: list[Any], cores: int) -> tuple[float, str, int]:
    """Run a command in a fresh process: seconds, output and exit code."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("JAX_COMPIL")}
    settings = {"OMP_NUM_THREADS": str(cores), "JAX_PLATFORMS": "cpu"}
    started = time.perf_counter()
    finished = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, **settings, "JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    return time.perf_counter() - started, finished.stdout, finished.returncode


def ours(comparison: Comparison, seed: int) -> dict[str, Any]:
    """One race of the recipe."""
    options = ["--data", comparison.data, "--target", comparison.target, "--seed", seed]
    command = [sys.executable, "-m", "recipes.speedrun", *options]
    seconds, said, code = clocked(command, comparison.cores)
    found = re.search(r"validation loss ([\d.]+)", said)
    if found is None:
        sys.exit(f"The race ended with {code} and without a loss.")
    return {"seconds": seconds, "loss": float(found[1]), "missed": code != 0}


def theirs(comparison: Comparison, seed: int) -> dict[str, Any]:
    """One run of nanoGPT's settings in PyTorch."""
    options = ["--data", comparison.data, "--target", comparison.target, "--seed", seed]
    switches = ["--compile"] * comparison.compiled + ["--bfloat16"] * comparison.bfloat16
    command = [comparison.torch_python, WORKER, *options, "--threads", comparison.cores, *switches]
    seconds, said, code = clocked(command, comparison.cores)
    if code:
        sys.exit(f"PyTorch's side ended with {code}.")
    return {**json.loads(said.splitlines()[-1]), "seconds": seconds}


def spread(values: list[float]) -> str:
    """Median, smallest and largest, as text."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    comparison = tyro.cli(Comparison, description=__doc__)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: comparison.cores])
    rows = []
    for seed in range(comparison.rounds):
        a = ours(comparison, seed)
        print(f"seed {seed}: {a['seconds']:.1f} s, loss {a['loss']:.4f}", flush=True)
        b = None if comparison.alone else theirs(comparison, seed)
        if b is not None:
            reached = "never" if b["reached"] is None else f"at {b['reached']:.1f} s"
            print(
                f"        PyTorch {b['seconds']:.1f} s, loss {b['loss']:.4f} "
                f"({b['whole']:.4f} on the whole split), {comparison.target} {reached}",
                flush=True,
            )
        rows.append({"ours": a, "theirs": b})
    print("\nmedian (smallest to largest)")
    print(f"{'recipes.speedrun':<20}{spread([row['ours']['seconds'] for row in rows])} s")
    if not comparison.alone:
        print(f"{'PyTorch, whole run':<20}{spread([row['theirs']['seconds'] for row in rows])} s")
        ratios = [row["theirs"]["seconds"] / row["ours"]["seconds"] for row in rows]
        print(f"{'ratio':<20}{spread(ratios)}")
        firsts = [row for row in rows if row["theirs"]["reached"] is not None]
        if firsts:
            ratios = [row["theirs"]["reached"] / row["ours"]["seconds"] for row in firsts]
            print(f"{'to the first look':<20}{spread(ratios)}")
    if comparison.out is not None:
        settings = {name: str(value) for name, value in dataclasses.asdict(comparison).items()}
        comparison.out.write_text(json.dumps({"settings": settings, "rounds": rows}, indent=1))
    if any(row["ours"]["missed"] for row in rows):
        sys.exit(f"A race missed {comparison.target}.")


if __name__ == "__main__":
    main()
