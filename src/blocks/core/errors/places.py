"""The right slot for a misplaced part, found by the annotations of all fields."""

import sys
import typing
from collections.abc import Iterator
from typing import Any

import flax.linen as nn

from blocks.core.errors.words import alternatives

MANY = 3  # maximum number that a message lists


def told(value: Any, hint: Any) -> str | None:
    """The fix that the expected class gives for a value in its place, by its `instead_of`."""
    said = (getattr(kind, "instead_of", lambda value: None)(value) for kind in alternatives(hint))
    return next(filter(None, said), None)


def elsewhere(value: Any, hints: dict[str, Any]) -> str | None:
    """Return the fix for a part that belongs in another field or another block.

    Args:
        value: the part, or several.
        hints: annotations of the fields of the block that it was given to.
    """
    part = value[0] if isinstance(value, (list, tuple)) and value else value
    own = fields_for(part, hints)
    return f"{type(part).__name__} goes into {own}" if own else home(part)


def home(value: Any) -> str | None:
    """List the blocks with a slot for such a value, as a fix; None if there are none."""
    found: dict[str, list[str]] = {}
    for kind in _blocks(nn.Module):
        if fields := fields_for(value, typing.get_type_hints(kind, include_extras=True)):
            found.setdefault(fields, []).append(kind.__name__)
    if not found:
        return None
    fields, kinds = max(found.items(), key=lambda item: len(item[1]))
    listed = ", ".join(kinds[:MANY]) + ", ..." * (len(kinds) > MANY)
    return f"{type(value).__name__} goes into {fields} of {listed}"


def fields_for(value: Any, hints: dict[str, Any]) -> str:
    """List the fields whose annotations name a value's own kind, as source code."""
    written = []
    for name, hint in hints.items():
        for kind in alternatives(hint):
            several = typing.get_origin(kind) is tuple
            items = alternatives(typing.get_args(kind)[0]) if several else (kind,)
            if any(_own(value, item) for item in items):
                written.append(f"{name}=({value!r},)" if several else f"{name}={value!r}")
    return " or ".join(written)


def _own(value: Any, kind: Any) -> bool:
    """Return whether a value is of a kind of this library, not just any module or callable."""
    ours = isinstance(kind, type) and kind.__module__.startswith("blocks.")
    return ours and not getattr(kind, "_is_protocol", False) and isinstance(value, kind)


def _blocks(kind: type) -> Iterator[type]:
    """The public subclasses of a kind."""
    for below in kind.__subclasses__():
        room = below.__module__.rpartition(".")[0]
        if room.startswith("blocks") and hasattr(sys.modules[room], below.__name__):
            yield below
        yield from _blocks(below)
