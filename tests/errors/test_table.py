"""Mistakes that are told in words of a block's own, each with what the message says."""

import pytest
from errors.table import BLOCKS, CASES


@pytest.mark.parametrize("block", BLOCKS)
def test_the_mistakes_with_a_block_are_told(block: str) -> None:
    problems = [case.problem() for case in CASES if case.name.split()[0] == block]
    assert not any(problems), "\n\n".join(filter(None, problems))


def test_a_name_stands_for_one_case() -> None:
    names = [case.name for case in CASES]
    assert sorted({name for name in names if names.count(name) > 1}) == []
