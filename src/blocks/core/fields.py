"""Checks of field values against their annotations."""

import functools
import inspect
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import flax.linen as nn
from beartype.door import is_bearable

from blocks.core.annotations import annotations_of, fits
from blocks.core.bounds import Bound
from blocks.core.errors.fixes import likely_fix
from blocks.core.errors.places import place
from blocks.core.errors.words import alternatives, misfit, readable, shown
from blocks.core.slots import Called, Copied, Inner, adapted
from blocks.core.typing import Meaning


def check_types(owner: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Refuse values that their field's annotation does not allow.

    Linen would accept them, and ignore some of them silently: a class in the place of a block, say.
    A field is judged by its annotation alone; one that cannot be resolved, such as a name that only
    type checkers import, is left unchecked.

    Args:
        owner: the block or mask that the fields belong to.
        values: the fields by name.

    Returns:
        The values, with tuples for lists where the annotation says tuple.

    Raises:
        TypeError: names the field, what it can hold, what was given, and the likely fix.
        ValueError: a number that is out of the bounds of its field.
    """
    hints = field_hints(type(owner))
    checked = {}
    for name, value in values.items():
        hint = hints[name]
        meaning = next((mark for mark in hint.marks if isinstance(mark, Meaning)), None)
        means = meaning is None or value is None or meaning.holds(value)
        uncallable = None if hint.called is None else _uncallable(hint, hint.called, value)
        what, plain = f"field `{name}` cannot hold this", {n: h.plain for n, h in hints.items()}
        if uncallable is not None and hint.called is not None:
            expected = f"a block called as {name}({', '.join(hint.called.arguments)})"
            takes = list(inspect.signature(type(uncallable).__call__).parameters)[1:]
            actual = f"{shown(uncallable)}, called as ({', '.join(takes)})"
            fix = place(adapted(uncallable), plain) or _wrapped(uncallable, hint.called)
            raise TypeError(misfit(what, expected, actual, fix))
        if not (fits(value, hint.plain) and means and _placed(value, hint)):
            optional = type(None) in alternatives(hint.plain)
            expected = meaning.words + ", or None" * optional if meaning else readable(hint.plain)
            fix = None if meaning else likely_fix(name, value, hint.plain, plain)
            raise TypeError(misfit(what, expected, shown(value), fix))
        for bound in (mark for mark in hint.marks if isinstance(mark, Bound)):
            if value is not None and not bound.holds(value):
                raise ValueError(f"{name}={value} must be {bound.words}.")
        checked[name] = value if is_bearable(value, hint.plain) else tupled(value)
    return checked


class Hint(typing.NamedTuple):
    """An annotation of a field, split into types and marks.

    Attributes:
        plain: the allowed types.
        marks: metadata beside them in `Annotated`.
    """

    plain: Any
    marks: tuple[Any, ...] = ()

    @property
    def copied(self) -> bool:
        """Whether the field's parts are templates that their owner never runs."""
        return any(isinstance(mark, Copied) for mark in self.marks)

    @property
    def called(self) -> Called | None:
        """How the field's parts are called."""
        return next((mark for mark in self.marks if isinstance(mark, Called)), None)


@functools.cache
def field_hints(kind: type) -> dict[str, Hint]:
    """The annotations of a class's fields, resolved, by name."""
    hints: dict[str, Hint] = {}
    for base in reversed(kind.__mro__):
        for name, hint in annotations_of(base).items():
            alone = types.SimpleNamespace(__annotations__={"field": hint})
            hints[name] = Hint(typing.get_type_hints(alone)["field"], tuple(_marks(hint)))
    return hints


def _marks(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) is Annotated:
        yield from hint.__metadata__
        yield from _marks(hint.__origin__)
    elif typing.get_origin(hint) in (typing.Union, types.UnionType, tuple, dict):
        for kind in typing.get_args(hint):
            yield from _marks(kind)


@functools.cache
def copied_slots(kind: type) -> frozenset[str]:
    """Names of the fields marked `Template[...]`, whose parts a block copies and never runs."""
    return frozenset(name for name, hint in field_hints(kind).items() if hint.copied)


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _placed(value: Any, hint: Hint) -> bool:
    """Return whether a slot for any block holds no parts that need a slot of their own kind."""
    anything = nn.Module in alternatives(hint.plain) or hint.plain == tuple[nn.Module, ...]
    inner = any(isinstance(part, Inner) for part in _parts(value))
    return hint.copied or not anything or not inner


def _uncallable(hint: Hint, called: Called, value: Any) -> nn.Module | None:
    """The first part that does not accept the arguments that its slot passes."""
    for part in map(adapted, _parts(value)):
        inner = isinstance(part, Inner) and not hint.copied
        if isinstance(part, nn.Module) and (inner or not called.fits(part)):
            return part
    return None


def _wrapped(part: nn.Module, called: Called) -> str | None:
    """The fix for a module that takes `x` alone, in a slot that passes more."""
    if not Called("x").fits(part) or called.arguments != ("x", "context", "deterministic"):
        return None
    return f"Plain(block={shown(part)}) calls a module with `x` alone"


def tupled(value: Any) -> Any:
    """Convert lists to tuples, nested ones too."""
    return tuple(map(tupled, value)) if isinstance(value, list) else value
