"""Checks of what a block's fields hold, against their annotations."""

import functools
import inspect
import numbers
import re
import typing
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from beartype.door import is_bearable
from flax.core import FrozenDict

from blocks.core.errors.field_fixes import is_function, likely_fix
from blocks.core.errors.fixes import alternatives
from blocks.core.errors.places import role_of
from blocks.core.slots import Copied


def check_types(owner: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Refuse values that their field's annotation does not allow.

    Linen would take them, and some would be passed over in silence: a class in the place of a
    block, say.

    Args:
        owner: the block or mask that the fields belong to.
        values: the fields by name.

    Returns:
        The values, with tuples for lists where the annotation says tuple.

    Raises:
        TypeError: names the field, what it can hold, what it was given, and the likely fix.
    """
    hints = _hints(type(owner))
    for name, value in values.items():
        fits = _fits(value, hints[name]) and _usable(name, value) and _placed(name, value, hints)
        if not fits:
            fix = likely_fix(name, value, alternatives(hints[name]), tuple(hints))
            raise TypeError(
                f"field `{name}` cannot hold this\n"
                f"  expected: {_expected(name, hints[name])}\n"
                f"  actual:   {shown(value)}" + ("" if fix is None else f"\n  fix:      {fix}")
            )
    return {
        name: _tupled(value) if not is_bearable(value, hints[name]) else value
        for name, value in values.items()
    }


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


@functools.cache
def copied_slots(kind: type) -> frozenset[str]:
    """Names of the fields whose parts a kind of block copies and never runs: `Template[...]`."""
    return frozenset(
        name
        for name, hint in typing.get_type_hints(kind, include_extras=True).items()
        if any(isinstance(mark, Copied) for mark in getattr(hint, "__metadata__", ()))
    )


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(value, bool):  # Python counts True as a whole number
        return hint is Any or any(kind in (bool, Any, object) for kind in alternatives(hint))
    if is_bearable(value, hint) or is_bearable(_thawed(value), hint):
        return True
    # Whole numbers where any number may stand, and numpy's numbers.
    kinds = alternatives(hint)
    whole = isinstance(value, numbers.Integral)
    return (whole and int in kinds) or (isinstance(value, numbers.Real) and float in kinds)


def _usable(name: str, value: Any) -> bool:
    """Whether a dtype is one to compute in, and an initialiser of JAX one that draws."""
    if name.endswith("dtype") and value is not None:
        try:
            return jnp.issubdtype(jnp.dtype(value), jnp.inexact)
        except TypeError:
            return False
    if name == "kernel" and inspect.isclass(value):  # it has what the protocol asks of a value
        return False
    if not (name.endswith("_init") and inspect.isfunction(value)):
        return True
    if value.__module__.endswith("nn.initializers"):
        return "key" in inspect.signature(value).parameters
    return True


def _placed(name: str, value: Any, hints: dict[str, Any]) -> bool:
    """Whether a slot for any block is free of what works inside attention only."""
    if name == "block" or not (
        nn.Module in alternatives(hints[name]) or hints[name] == tuple[nn.Module, ...]
    ):
        return True
    parts = value if isinstance(value, (list, tuple)) else (value,)
    return all(role_of(part) is None for part in parts)


def _thawed(value: Any) -> Any:
    """Lists as the tuples, frozen dicts as the dicts that they are to Linen."""
    if isinstance(value, list):
        return tuple(value)
    return dict(value) if isinstance(value, FrozenDict) else value


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _expected(name: str, hint: Any) -> str:
    if name.endswith("dtype"):
        return "a floating point dtype" + " or None" * (type(None) in alternatives(hint))
    return _readable(hint)


def _readable(hint: Any) -> str:
    """An annotation as it stands in the source."""
    kinds = alternatives(hint)
    if len(kinds) > 1:
        return " | ".join(map(_readable, kinds))
    text = hint.__name__ if inspect.isclass(hint) else str(hint)
    text = text.replace("NoneType", "None")
    return re.sub(r"[\w.]+\.(\w+)", r"\1", text)


def shown(value: Any) -> str:
    """A value as errors show it: an array by dtype and shape, as jaxtyping does."""
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        dtype = re.sub("float|complex|uint|int", lambda kind: kind[0][0], str(value.dtype))
        return f"{dtype}[{','.join(map(str, value.shape))}]"
    if any(kind.__name__ == "CacheState" for kind in type(value).__mro__):
        return f"{type(value).__name__}(...)"
    text = f"the function {value.__name__}" if is_function(value) else repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
