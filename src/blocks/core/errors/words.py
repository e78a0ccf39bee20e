"""Formatting of values, annotations and lines in messages."""

import difflib
import inspect
import re
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any

import jax


def misfit(
    what: str, expected: str, actual: str, fix: str | None = None, axes: Mapping[str, Any] = {}
) -> str:
    """Compose a message: what does not fit, what was expected, what was given, and the fix."""
    bound = ", ".join(f"{axis}={size}" for axis, size in axes.items())
    lines = [what, f"  expected: {expected}", f"  actual:   {actual}"]
    lines += [f"  with:     {bound} (bound by the arguments before it)"] if axes else []
    return "\n".join([*lines, *([f"  fix:      {fix}"] if fix else [])])


def shown(value: Any) -> str:
    """Format a value: an array by dtype and shape, a function or class by its name."""
    if is_array(value):
        dtype = re.sub("float|complex|uint|int", lambda kind: kind[0][0], str(value.dtype))
        return f"{dtype}[{','.join(map(str, value.shape))}]"
    text = getattr(value, "__name__", None) or repr(value)
    if "\n" in text:  # of arrays, or a module that is not a block
        return f"{type(value).__name__}(...)"
    return text if len(text) <= 100 else f"{text[:97]}..."


def readable(hint: Any) -> str:
    """Format an annotation as source code."""
    kinds = (kind.__name__ if inspect.isclass(kind) else str(kind) for kind in alternatives(hint))
    return re.sub(r"[\w.]+\.(\w+)", r"\1", " | ".join(kinds).replace("NoneType", "None"))


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def is_array(value: Any) -> bool:
    """Return whether a value is an array of JAX or numpy, traced or not."""
    return isinstance(value, jax.Array) or hasattr(value, "__array_interface__")


def nearest(name: str, names: Collection[str]) -> str:
    """Suggest the nearest of `names` for an unknown name."""
    if close := difflib.get_close_matches(name, names, n=1):
        return f"did you mean `{close[0]}`?"
    return f"there are {', '.join(names) or 'none'}."


def divisors(number: int) -> str:
    """List the divisors of a number, as in a sentence."""
    found = [str(d) for d in range(1, number + 1) if number % d == 0]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
