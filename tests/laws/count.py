"""How many (block x law) tests there are: for the end of a test run, and as a table for the docs.

`PYTHONPATH=tests python -m laws.count` prints the table as Markdown, slow tests included.
"""

import collections
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

Counts = dict[tuple[str, str], int]
LAW = re.compile(r"laws/test_\w+\.py::test_(\w+)(?:\[(.*)\])?$")


def counted(tests: Iterable[str], names: Iterable[str]) -> Counts:
    """Tests of the laws by case (or kernel) and law; `names` are the cases'."""
    known, counts = set(names), collections.Counter()
    for test in tests:
        if (found := LAW.search(test)) and found[2] is not None:
            # Parameters other than the case may stand on either side of it.
            parts = found[2].split("-")
            case = next((part for part in parts if part in known), parts[0])
            counts[case, found[1]] += 1
    return counts


def summary(passed: Iterable[str], others: Iterable[str], names: Iterable[str]) -> str | None:
    """One line on the tests of the laws that were run, or None where none was."""
    names, passed = list(names), list(passed)
    counts = counted([*passed, *others], names)
    if not counts:
        return None
    cases, laws = {case for case, _ in counts}, {law for _, law in counts}
    right = sum(counted(passed, names).values())
    blocks, kernels = len(cases & set(names)), len(cases - set(names))
    return (
        f"laws: {blocks} cases of blocks and {kernels} others (kernels, families) x "
        f"{len(laws)} laws = {sum(counts.values()):,} tests, {right:,} passed"
    )


def table(counts: Counts) -> str:
    """A Markdown table: a row for each case, a column for each law, numbers of tests."""
    laws = list(dict.fromkeys(law for _, law in counts))
    heads = [f"{number}. {law.replace('_', ' ')}" for number, law in enumerate(laws, 1)]
    lines = [
        *heads,
        "",
        f"| case | {' | '.join(str(n) for n in range(1, len(laws) + 1))} |",
        "|---" * (len(laws) + 1) + "|",
    ]
    for case in dict.fromkeys(case for case, _ in counts):
        cells = [str(counts.get((case, law), "")) for law in laws]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def listed() -> Counts:
    """What pytest collects of the laws, slow tests included."""
    from laws.cases import CASES

    options = ["-n", "0", "-m", "", "--collect-only", "-q", str(Path(__file__).parent)]
    command = [sys.executable, "-m", "pytest", *options]
    tests = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return counted(tests.splitlines(), [case.name for case in CASES])


def laws() -> dict[str, tuple[int, int]]:
    """How many cases a law is tested on, and by how many tests, for each law in words."""
    counts, totals = listed(), {}
    for (_, law), number in counts.items():
        cases, tests = totals.get(law.replace("_", " "), (0, 0))
        totals[law.replace("_", " ")] = (cases + 1, tests + number)
    return totals


if __name__ == "__main__":
    print(table(listed()))
