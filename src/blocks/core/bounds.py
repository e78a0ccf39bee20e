"""Bounds of numbers in fields: marks of annotations, checked when a block is made.

`hidden: Annotated[int, at_least(1, "; 4 * embed is usual")]` refuses `hidden=0` in these words.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, TypeAlias


@dataclasses.dataclass(frozen=True)
class Bound:
    """Mark of a field for the numbers that it can hold.

    Attributes:
        words: the rule, as it follows "must be" in a message.
        holds: returns whether a number is allowed.
    """

    words: str
    holds: Callable[[float], bool]


def at_least(least: int, note: str = "") -> Bound:
    """Mark a field for numbers from `least` on; a note ends the message."""
    return Bound(f"at least {least}{note}", lambda number: number >= least)


def positive(note: str = "") -> Bound:
    """Mark a field for numbers above zero; a note ends the message."""
    return Bound(f"positive{note}", lambda number: number > 0)


Size: TypeAlias = Annotated[int, at_least(1)]
Rate: TypeAlias = Annotated[float, Bound("at least 0 and below 1", lambda rate: 0.0 <= rate < 1.0)]
