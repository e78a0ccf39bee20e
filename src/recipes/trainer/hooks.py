"""Hooks: what a user does at intervals of training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from recipes.errors import RecipeError

# function(trainer, row) -> what the row of this step holds besides, if anything.
HookFunction: TypeAlias = Callable[[Any, dict[str, Any]], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Hook:
    """A function that is called after steps at an interval, and after the last one.

    Attributes:
        steps: Number of steps between two calls.
        function: Gets the trainer and the row of that step, and gives what the row holds besides;
            None for a row alone.

    Raises:
        RecipeError: Fewer than one step.
    """

    steps: int
    function: HookFunction | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RecipeError(f"every({self.steps}) must be at least 1 step.", "Give a count.")

    def __call__(self, trainer: Any, row: dict[str, Any], *, is_last: bool) -> dict[str, Any]:
        """The row with what the function adds to it, where it is due."""
        due = is_last or row["step"] % self.steps == 0
        if self.function is None or not due:
            return row
        return {**row, **(self.function(trainer, row) or {})}


def every(steps: int, function: HookFunction | None = None) -> Hook:
    """Call a function of the trainer and the row every few steps, and after the last.

    Example:
        >>> hook = every(100, lambda trainer, row: {"gap": row["val_loss"] - row["train_loss"]})
        >>> hook(None, {"step": 100, "val_loss": 2.0, "train_loss": 1.5}, is_last=False)["gap"]
        0.5
    """
    return Hook(steps, function)
