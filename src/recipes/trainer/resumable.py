"""Batches from anywhere, with a position that can be saved."""

from collections.abc import Iterable, Iterator
from typing import Any

from recipes.errors import RecipeError


class ResumableBatches(Iterator[Any]):
    """Batches of any iterable, and the position in it: its own, or the number of batches drawn.

    What has `get_state` and `set_state`, as iterators of Grain have, keeps its own position.
    Elsewhere batches are counted, and a position is reached by drawing that many again, which
    needs an iterable that begins anew and repeats itself.

    Args:
        batches: A list, a generator, a loader: what `iter` takes.

    Raises:
        RecipeError: What cannot be iterated over.

    Example:
        >>> batches = ResumableBatches([{"x": 1}, {"x": 2}])
        >>> next(batches), batches.get_state()
        ({'x': 1}, {'batches': 1})
    """

    def __init__(self, batches: Iterable[Any]):
        if not hasattr(batches, "__next__"):
            try:
                batches = iter(batches)
            except TypeError:
                raise RecipeError(
                    f"Batches were expected, and this is a {type(batches).__name__}.",
                    "Give a list, a generator, or a loader of batches.",
                ) from None
        self._batches: Any = batches
        self._drawn = 0

    def __next__(self) -> Any:
        batch = next(self._batches)
        self._drawn += 1
        return batch

    def get_state(self) -> Any:
        """The position after the batches so far, fit for JSON."""
        if not hasattr(self._batches, "get_state"):
            return {"batches": self._drawn}
        state = self._batches.get_state()
        return {"text": state.decode()} if isinstance(state, bytes) else state

    def set_state(self, state: Any) -> None:
        """Continue where `get_state` was called.

        Raises:
            RecipeError: A position that was not counted, or lies before the batches already drawn
                or after the last one.
        """
        if hasattr(self._batches, "set_state"):
            is_text = isinstance(state, dict) and state.keys() == {"text"}
            self._batches.set_state(state["text"].encode() if is_text else state)
            return
        wanted = state.get("batches") if isinstance(state, dict) else None
        if type(wanted) is not int or wanted < self._drawn:
            raise RecipeError(
                f"The saved data position {state!r} is not a number of batches from {self._drawn} "
                "on.",
                "Resume with batches that begin anew, of the kind that the run was trained on.",
            )
        while self._drawn < wanted:
            try:
                next(self)
            except StopIteration:
                raise RecipeError(
                    f"The batches end after {self._drawn}, before the saved position {wanted}.",
                    "Resume with the batches that the run was trained on.",
                ) from None
