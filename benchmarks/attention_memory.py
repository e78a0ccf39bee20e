r"""Memory and time of the chunked, the banded and the plain kernel, forward and backward, on a CPU.

    python benchmarks/attention_memory.py
    python benchmarks/attention_memory.py --batch 16 --heads 6 --shorter 256 --length 256 \
        --compared 256

Every kernel and length runs in a process of its own, whose peak resident memory is reported. At
the greatest length the plain kernel is compiled and not run: what it would need is what the
compiler says.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

WORKER = Path(__file__).parent / "workers" / "attention.py"
GB = 1e9
LIMIT, TOLERANCE = 2 * GB, 1e-5


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        batch: Sequences, all of one length.
        length: Tokens of the longest sequence.
        heads: Heads, of queries and of keys.
        head_dim: Features of a head.
        shorter: Lengths at which all kernels run.
        compared: Length at which results of the chunked and the plain kernel are compared.
        repeats: Runs of each kernel at the shorter lengths, of which the fastest counts.
        cores: Cores that a process may use.
    """

    batch: int = 1
    length: int = 16_384
    heads: int = 8
    head_dim: int = 64
    shorter: tuple[int, ...] = (128, 256, 512, 1024, 2048)
    compared: int = 2048
    repeats: int = 5
    cores: int = 2


def run(comparison: Comparison, kernel: str, length: int, repeats: int) -> dict[str, Any]:
    """Runs the worker once, in a fresh process, and returns what it measured."""
    options = {
        "--kernel": kernel,
        "--batch": comparison.batch,
        "--length": length,
        "--heads": comparison.heads,
        "--head-dim": comparison.head_dim,
        "--repeats": repeats,
    }
    words = [str(word) for option in options.items() for word in option]
    finished = subprocess.run(
        [sys.executable, WORKER, *words],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    return json.loads(finished.stdout.splitlines()[-1])


def main() -> None:
    comparison = tyro.cli(Comparison, description=__doc__)
    # Inherited by the workers; XLA makes as many threads as it may use cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: comparison.cores])
    heads = f"{comparison.heads} heads of {comparison.head_dim}"
    print(f"causal attention, {heads}, float32, batch {comparison.batch}")
    print(f"{'tokens':>8}{'kernel':>10}{'seconds':>10}{'peak GB':>10}{'needs GB':>10}")

    def show(kernel: str, length: int, repeats: int) -> dict[str, Any]:
        row = run(comparison, kernel, length, repeats)
        ran = row["seconds"] is not None
        seconds = f"{row['seconds']:.4f}" if ran else "not run"
        peak = f"{row['peak'] / GB:.2f}" if ran else ""
        needs = f"{row['needs'] / GB:.2f}"
        print(f"{length:>8}{kernel:>10}{seconds:>10}{peak:>10}{needs:>10}", flush=True)
        return row

    for length in comparison.shorter:
        for kernel in ("plain", "chunked", "banded"):
            show(kernel, length, comparison.repeats)
    plain = show("plain", comparison.length, 0)
    chunked = show("chunked", comparison.length, 1)

    apart = run(comparison, "both", comparison.compared, 1)
    print(f"\nlargest difference at {comparison.compared} tokens: {apart['output']:.1e} in the")
    print(f"result, {apart['gradients']:.1e} of the largest entry in the gradients")
    print(f"{chunked['versions']}, {comparison.cores} cores, peak of the whole process")
    print(f"the plain kernel needs {plain['needs'] / chunked['peak']:.0f} times the chunked's peak")
    if chunked["peak"] > LIMIT or max(apart.values()) > TOLERANCE:
        sys.exit(f"More than {LIMIT / GB:.0f} GB, or differences above {TOLERANCE:.0e}.")


if __name__ == "__main__":
    main()
