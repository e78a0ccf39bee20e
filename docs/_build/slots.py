"""The slots of a block: the fields that hold other parts, read from their annotations."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn

from blocks.core.typing import Array

FUNCTION = Callable[[Array], Array]  # of an activation, which may be a block


@dataclasses.dataclass(frozen=True)
class Slot:
    """A field that holds a part.

    Attributes:
        owner: the block whose field it is.
        name: the field's name.
        said: what the owner's docstring says of it, in its first words.
        empty: whether it is, unless one fills it.
    """

    owner: type
    name: str
    said: str
    empty: bool


def slots_of(block: type) -> dict[str, Slot]:
    """The slots of a class of blocks, by name."""
    hints = typing.get_type_hints(block)
    fields = {field.name: field for field in dataclasses.fields(block) if field.name != "parent"}
    return {
        name: Slot(block, name, _said(block, name), field.default is None or field.default == ())
        for name, field in fields.items()
        if any(map(_holds_a_part, _leaves(hints[name])))
    }


def _leaves(hint: Any) -> Iterator[Any]:
    """What an annotation is made of: the members of its unions, the entries of its tuples."""
    if hint != FUNCTION and typing.get_origin(hint) in (typing.Union, types.UnionType, tuple):
        for part in typing.get_args(hint):
            yield from _leaves(part)
    else:
        yield hint


def _holds_a_part(hint: Any) -> bool:
    """A block, or another value of this library; tuples of options, as `Biases`, are neither."""
    if not inspect.isclass(hint) or issubclass(hint, tuple):
        return hint == FUNCTION
    return issubclass(hint, nn.Module) or hint.__module__.startswith("blocks.")


def _said(block: type, name: str) -> str:
    """What the docstring of the class, or of a base, says of a field in its first words."""
    for kind in block.__mro__:
        entry = rf"^ +{name}: (.+?)(?=[;:]|, such as|\.\n|\n\n|\n +\w+: )"
        if found := re.search(entry, kind.__doc__ or "", re.MULTILINE | re.DOTALL):
            return re.sub(r" \$[^$]*\$|`", "", re.sub(r"\s+", " ", found[1]))
    return ""
