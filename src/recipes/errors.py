"""`RecipeError`, the error that a user of the recipes can fix."""

import difflib
from collections.abc import Iterable


class RecipeError(Exception):
    """A mistake in what a recipe was given: one sentence of cause, one of fix.

    `str(error)` is `"{cause} {fix}"`. The command line prints the two on lines of their own and
    exits with 2; any other exception is a bug and keeps its traceback.

    Attributes:
        cause: What is wrong, with the name and the value at fault.
        fix: What to do about it.

    Example:
        >>> error = RecipeError("'missing.txt' does not exist.", "Give the path of a text file.")
        >>> print(error)
        'missing.txt' does not exist. Give the path of a text file.
    """

    def __init__(self, cause: str, fix: str):
        super().__init__(cause, fix)
        self.cause = cause
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.cause} {self.fix}"


def nearest_of(name: str, names: Iterable[str]) -> str:
    """Suggest known names for an unknown one.

    Example:
        >>> print(f"Use {nearest_of('quik', ['lecture', 'quick'])}.")
        Use 'quick', the nearest of 'lecture', 'quick'.
        >>> print(f"Use {nearest_of('x', ['lecture', 'quick'])}.")
        Use one of 'lecture', 'quick'.
    """
    names = list(names)
    listed = ", ".join(map(repr, names))
    near = difflib.get_close_matches(name, names, n=1)
    return f"{near[0]!r}, the nearest of {listed}" if near else f"one of {listed}"
