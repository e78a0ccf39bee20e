"""Checks of what a block's fields hold, against their annotations."""

import functools
import inspect
import numbers
import re
import types
import typing
from typing import Any

from beartype.door import is_bearable
from flax.core import FrozenDict


def check_types(owner: Any, values: dict[str, Any]) -> None:
    """Refuses values that their field's annotation does not allow.

    Linen would take them, and some would be passed over in silence: a class in the place of a
    block, say.

    Args:
        owner: the block or mask that the fields belong to.
        values: the fields by name.

    Raises:
        TypeError: names the field, what it can hold, what it was given, and the likely fix.
    """
    hints = _hints(type(owner))
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise TypeError(
                f"{type(owner).__name__}: field `{name}` cannot hold this\n"
                f"  expected: {_readable(hints[name])}\n"
                f"  actual:   {_shown(value)}{_fix(value, hints[name])}"
            )


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(value, bool):  # Python counts True as a whole number
        return hint is Any or any(kind in (bool, Any, object) for kind in _alternatives(hint))
    if is_bearable(value, hint) or is_bearable(_thawed(value), hint):
        return True
    # Whole numbers where any number may stand, and numpy's numbers.
    kinds = _alternatives(hint)
    whole = isinstance(value, numbers.Integral)
    return (whole and int in kinds) or (isinstance(value, numbers.Real) and float in kinds)


def _thawed(value: Any) -> Any:
    """Lists as the tuples, frozen dicts as the dicts that they are to Linen."""
    if isinstance(value, list):
        return tuple(value)
    return dict(value) if isinstance(value, FrozenDict) else value


def _alternatives(hint: Any) -> tuple[Any, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _readable(hint: Any) -> str:
    """An annotation as it stands in the source."""
    text = hint.__name__ if inspect.isclass(hint) else str(hint).replace("NoneType", "None")
    return re.sub(r"[\w.]+\.(\w+)", r"\1", text)


def _shown(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array, {value.dtype}{list(value.shape)}"
    return repr(value)


def _fix(value: Any, hint: Any) -> str:
    if inspect.isclass(value) and any(
        inspect.isclass(kind) and issubclass(value, kind) for kind in _alternatives(hint)
    ):
        return f"\n  fix:      it is the class; write {value.__name__}(...)"
    if is_bearable((value,), hint):
        return "\n  fix:      write it as a tuple, (...,)"
    return ""
