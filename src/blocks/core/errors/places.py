"""Where a part of a model belongs, read off the annotations of the fields that there are."""

import sys
import typing
from collections.abc import Iterator
from typing import Any

import flax.linen as nn

from blocks.core.errors.words import alternatives

MANY = 3  # that a message lists


def told(value: Any, hint: Any) -> str | None:
    """What a class that is expected says itself of a value in its place, in its `instead_of`."""
    said = (getattr(kind, "instead_of", lambda value: None)(value) for kind in alternatives(hint))
    return next(filter(None, said), None)


def elsewhere(value: Any, hints: dict[str, Any]) -> str | None:
    """The fix for a part that has its place in another field, or in another block.

    Args:
        value: the part, or several.
        hints: of the fields of the block that it was given to.
    """
    part = value[0] if isinstance(value, (list, tuple)) and value else value
    own = fields_for(part, hints)
    return f"{type(part).__name__} goes into {own}" if own else home(part)


def home(value: Any) -> str | None:
    """The blocks with a field made for a value like this, as a fix says it; None for none."""
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
    """The fields whose annotations speak of a value's own kind, as one would write them."""
    written = []
    for name, hint in hints.items():
        for kind in alternatives(hint):
            several = typing.get_origin(kind) is tuple
            items = alternatives(typing.get_args(kind)[0]) if several else (kind,)
            if any(_own(value, item) for item in items):
                written.append(f"{name}=({value!r},)" if several else f"{name}={value!r}")
    return " or ".join(written)


def _own(value: Any, kind: Any) -> bool:
    """Whether a kind of this library, and not any module or callable, holds the value."""
    ours = isinstance(kind, type) and kind.__module__.startswith("blocks.")
    return ours and not getattr(kind, "_is_protocol", False) and isinstance(value, kind)


def _blocks(kind: type) -> Iterator[type]:
    """The public kinds below one."""
    for below in kind.__subclasses__():
        if below.__module__.startswith("blocks.") and hasattr(
            sys.modules["blocks"], below.__name__
        ):
            yield below
        yield from _blocks(below)
