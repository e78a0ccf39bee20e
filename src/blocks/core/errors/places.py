"""The right slot for a misplaced part, found by the annotations of all fields."""

import sys
import typing
from collections.abc import Iterator
from typing import Any

import flax.linen as nn

from blocks.core.errors.words import alternatives


def place(value: Any, hints: dict[str, Any]) -> str | None:
    """Return the fix for a part that belongs in another field or another block.

    Args:
        value: the part, or several.
        hints: annotations of the fields or arguments that it was given with.
    """
    part = value[0] if isinstance(value, (list, tuple)) and value else value
    fields, owners = _fields_for(part, hints), ""
    if not fields:
        found: dict[str, list[str]] = {}
        for kind in subclasses(nn.Module):
            other = _fields_for(part, typing.get_type_hints(kind, include_extras=True))
            found.setdefault(other, []).append(kind.__name__)
        found.pop("", None)
        fields, kinds = max(found.items(), key=lambda item: len(item[1]), default=("", []))
        owners = f" of {', '.join(kinds[:3])}" + ", ..." * (len(kinds) > 3)
    return f"{type(part).__name__} goes into {fields}{owners}" if fields else None


def subclasses(kind: type) -> Iterator[type]:
    """The public classes of this library below a kind."""
    for below in getattr(kind, "__subclasses__", list)():
        room = below.__module__.rpartition(".")[0]
        if room.startswith("blocks") and hasattr(sys.modules[room], below.__name__):
            yield below
        yield from subclasses(below)


def _fields_for(value: Any, hints: dict[str, Any]) -> str:
    """List the fields whose annotations name a value's own kind, as source code."""
    own = [kind for kind in type(value).__mro__ if kind.__module__.startswith("blocks.")]
    written = []
    for name, hint in hints.items():
        for kind in alternatives(hint):
            several = typing.get_origin(kind) is tuple
            if any(item in own for item in (typing.get_args(kind) if several else (kind,))):
                written.append(f"{name}=({value!r},)" if several else f"{name}={value!r}")
    return " or ".join(written)
