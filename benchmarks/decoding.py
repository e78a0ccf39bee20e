"""Tokens per second of GPT-2 124M against `transformers`' cached generation.

    python benchmarks/decoding.py --torch-python PATH

PyTorch and transformers live in an environment of their own, whose interpreter is named. The two
sides take turns, A B A B, each turn a fresh process on the same cores; the ratio is taken turn by
turn. Weights are random: they decide nothing about the time. The tokens are the most probable ones.
"""

import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from nanogpt_torch import spread, turn

WORKERS = Path(__file__).parent / "workers"


@dataclass(frozen=True)
class Comparison:
    """What is compared, and for how long.

    Attributes:
        torch_python: Interpreter of an environment that has PyTorch and transformers; only this
            project is measured if left out.
        batch: Rows that are continued together.
        prompt: Tokens of each prompt.
        tokens: New tokens of each row.
        dtype: Precision of weights and computation on both sides.
        turns: Turns of each side.
        repeats: Texts of a turn under the clock, after one that compiles and warms up; the median
            counts.
        cores: Cores, and threads, that each side may use.
    """

    torch_python: Path | None = None
    batch: int = 1
    prompt: int = 128
    tokens: int = 128
    dtype: Literal["float32", "bfloat16"] = "float32"
    turns: int = 3
    repeats: int = 3
    cores: int = 2


def main() -> None:
    comparison = tyro.cli(Comparison, description=__doc__)
    # Inherited by the workers; XLA makes as many threads as it may use cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: comparison.cores])
    names = ("batch", "prompt", "tokens", "dtype", "repeats", "cores")
    arguments = [word for name in names for word in (f"--{name}", str(getattr(comparison, name)))]
    sides: dict[str, tuple[str | Path, str]] = {"ours": (sys.executable, "decoding.py")}
    if comparison.torch_python is not None:
        sides["theirs"] = (comparison.torch_python, "transformers_decoding.py")
    rows: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(1, comparison.turns + 1):
        for side, (python, worker) in sides.items():
            command = [str(python), str(WORKERS / worker), *arguments]
            row = turn(command, comparison.cores)
            rows[side].append(row)
            print(
                f"turn {number}: {row['versions']:<42}{rate(row, comparison):7.1f} tokens/s; "
                f"other programs took {row['elsewhere']:.0%} of the cores",
                flush=True,
            )
    report(comparison, rows)


def rate(row: dict[str, Any], comparison: Comparison) -> float:
    """Tokens per second of all rows, from the prompt to the last token."""
    return comparison.batch * comparison.tokens / statistics.median(row["seconds"])


def report(comparison: Comparison, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Print medians with their spread, the ratio turn by turn, and the share of memory's rate."""
    counts = {row["parameters"] for side in rows.values() for row in side}
    if len(counts) > 1:
        sys.exit(f"{counts} parameters: not the same model.")
    print(
        f"\n{counts.pop():,} parameters, {comparison.dtype}, {comparison.cores} cores, batch "
        f"{comparison.batch}: {comparison.tokens} tokens after {comparison.prompt}"
    )
    print("median (smallest to largest)")
    rates = {side: [rate(row, comparison) for row in turns] for side, turns in rows.items()}
    for side, turns in rows.items():
        print(f"{turns[0]['versions']:<42}{spread(rates[side])} tokens/s")
    if "theirs" in rows:
        ratios = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
        print(f"{'ratio':<42}{spread(ratios)}")
    bandwidths = [row["bandwidth"] for row in rows["ours"]]
    print(f"{'memory reads':<42}{spread(bandwidths)} GB/s")
    # Every weight but those of other positions is read once for the tokens of all rows.
    limits = [row["bandwidth"] * 1e9 / row["weight_bytes"] for row in rows["ours"]]
    steps = [r / comparison.batch for r in rates["ours"]]
    shares = [100 * step / limit for step, limit in zip(steps, limits, strict=True)]
    print(f"{'tokens a row, memory allows':<42}{spread(limits)} tokens/s")
    print(f"{'share, with the prompt':<42}{spread(shares)} %")
    drawn = [
        100 * row["step_rate"] / limit for row, limit in zip(rows["ours"], limits, strict=True)
    ]
    print(f"{'share, after the prompt':<42}{spread(drawn)} %")


if __name__ == "__main__":
    main()
