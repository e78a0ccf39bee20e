"""The right slot for a misplaced part, found by the annotations of all fields."""

import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn

from blocks.core.errors.words import alternatives


def place(value: Any, hints: Mapping[str, Any]) -> str | None:
    """Return the fix for a part that belongs in another field or another block.

    Args:
        value: the part, or several.
        hints: annotations of the fields or arguments that it was given with.
    """
    part = value[0] if isinstance(value, (list, tuple)) and value else value
    if here := _fields_for(part, hints):
        return f"{type(part).__name__} goes into {here}"
    found: dict[str, list[str]] = {}
    for kind in public(nn.Module):
        fields = _fields_for(part, typing.get_type_hints(kind, include_extras=True))
        found.setdefault(fields, []).append(kind.__name__)
    found.pop("", None)
    usual, owners = max(found.items(), key=lambda item: len(item[1]), default=("", []))
    of = ", ".join(owners[:3] + ["..."] * (len(owners) > 3))
    return usual and f"{type(part).__name__} goes into {usual} of {of}"


def public(kind: type) -> Iterator[type]:
    """The public classes of this library below a kind."""
    for below in getattr(kind, "__subclasses__", list)():
        room = below.__module__.rpartition(".")[0]
        if room.startswith("blocks") and hasattr(sys.modules[room], below.__name__):
            yield below
        yield from public(below)


def _fields_for(value: Any, hints: Mapping[str, Any]) -> str:
    """List the fields whose annotations name a value's own kind, as source code."""
    own = {kind for kind in type(value).__mro__ if kind.__module__.startswith("blocks.")}
    kinds = ((name, kind) for name, hint in hints.items() for kind in alternatives(hint))
    written = []
    for name, kind in kinds:
        several = typing.get_origin(kind) is tuple
        if own.intersection(typing.get_args(kind) if several else (kind,)):
            written.append(f"{name}=({value!r},)" if several else f"{name}={value!r}")
    return " or ".join(written)
