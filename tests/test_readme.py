"""Figures of the README that are counted here; those that are measured stand in benchmarks."""

import re
from pathlib import Path

import pytest
from errors.table import CASES as MISTAKES
from laws.cases import CASES
from laws.count import listed

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def counted() -> dict[str, str]:
    """What the README says, by the words that a figure is found by."""
    counts, names = listed(), {case.name for case in CASES}
    cases, laws = ({key[part] for key in counts} for part in (0, 1))
    return {
        r"\d+ cases x \d+ laws: [\d,]+ tests": (
            f"{len(cases & names)} cases x {len(laws)} laws: {sum(counts.values()):,} tests"
        ),
        r"[\d,]+ messages": f"{len(MISTAKES):,} messages",
    }


@pytest.mark.slow
def test_the_readme_says_how_many_laws_and_messages_there_are() -> None:
    wrong = {}
    for words, right in counted().items():
        (said,) = re.findall(words, README)
        if said != right:
            wrong[said] = right
    assert not wrong, "\n".join(f"README.md: write {wrong[said]!r} for {said!r}" for said in wrong)
