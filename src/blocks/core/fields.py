"""Checks of what a block's fields hold, against their annotations."""

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp
from beartype.door import is_bearable
from flax.core import FrozenDict

from blocks.core.errors.field_fixes import likely_fix
from blocks.core.errors.places import elsewhere
from blocks.core.errors.words import alternatives, misfit, readable, shown
from blocks.core.slots import Called, Copied, Inner, adapted
from blocks.core.typing import Draws, Floating


def check_types(owner: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Refuse values that their field's annotation does not allow.

    Linen would take them, and some would be passed over in silence: a class in the place of a
    block, say. A field is judged by its annotation alone; one that cannot be resolved, as a name
    that only checkers of types import, is left unchecked.

    Args:
        owner: the block or mask that the fields belong to.
        values: the fields by name.

    Returns:
        The values, with tuples for lists where the annotation says tuple.

    Raises:
        TypeError: names the field, what it can hold, what it was given, and the likely fix.
    """
    hints = field_hints(type(owner))
    checked = {}
    for name, value in values.items():
        hint = hints[name]
        uncallable = None if hint.called is None else _uncallable(hint, hint.called, value)
        fits = _fits(value, hint.plain) and _placed(value, hint)
        if hint.floating:
            fits = fits and _computes(value)
        if hint.draws:
            fits = fits and _draws(value)
        if not fits or uncallable is not None:
            plain = {field: other.plain for field, other in hints.items()}
            what, called = f"field `{name}` cannot hold this", hint.called
            if uncallable is None or called is None:
                fix = likely_fix(name, value, plain)
                raise TypeError(misfit(what, _expected(hint), shown(value), fix))
            expected = f"a block called as {name}({', '.join(called.arguments)})"
            takes = list(inspect.signature(type(uncallable).__call__).parameters)[1:]
            actual = f"{shown(uncallable)}, called as ({', '.join(takes)})"
            fix = elsewhere(adapted(uncallable), plain) or _wrapped(uncallable, called)
            raise TypeError(misfit(what, expected, actual, fix))
        checked[name] = value if is_bearable(value, hint.plain) else _tupled(value)
    return checked


class Hint(typing.NamedTuple):
    """What an annotation says of a field.

    Attributes:
        plain: the types that it allows.
        marks: what stands beside them in `Annotated`.
    """

    plain: Any
    marks: tuple[Any, ...] = ()

    @property
    def optional(self) -> bool:
        """Whether the field can be None."""
        return type(None) in alternatives(self.plain)

    @property
    def floating(self) -> bool:
        """Whether the field is a dtype to compute in."""
        return any(isinstance(mark, Floating) for mark in self.marks)

    @property
    def draws(self) -> bool:
        """Whether the field is an initialiser."""
        return any(isinstance(mark, Draws) for mark in self.marks)

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
    """What the annotations of a class say of its fields, by name."""
    hints: dict[str, Hint] = {}
    for base in reversed(kind.__mro__):
        for name, annotation in vars(base).get("__annotations__", {}).items():
            hints[name] = _resolved(annotation, base)
    return hints


def _resolved(annotation: Any, owner: type) -> Hint:
    """An annotation with its names looked up; anything goes where one is not to be found."""
    alone = types.SimpleNamespace(__annotations__={"field": annotation})
    names = vars(inspect.getmodule(owner) or owner)
    try:
        plain = typing.get_type_hints(alone, names, dict(vars(owner)))["field"]
        full = typing.get_type_hints(alone, names, dict(vars(owner)), include_extras=True)["field"]
    except Exception:  # whatever evaluating a name of a user's raises
        return Hint(Any)
    return Hint(plain, tuple(_marks(full)))


def _marks(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) is Annotated:
        yield from hint.__metadata__
        yield from _marks(hint.__origin__)
    elif typing.get_origin(hint) in (typing.Union, types.UnionType, tuple, dict):
        for kind in typing.get_args(hint):
            yield from _marks(kind)


@functools.cache
def copied_slots(kind: type) -> frozenset[str]:
    """Names of the fields whose parts a kind of block copies and never runs: `Template[...]`."""
    return frozenset(name for name, hint in field_hints(kind).items() if hint.copied)


def _fits(value: Any, hint: Any) -> bool:
    kinds = alternatives(hint)
    if isinstance(value, bool):  # Python counts True as a whole number
        return hint is Any or any(kind in (bool, Any, object) for kind in kinds)
    if inspect.isclass(value) and all(getattr(kind, "_is_protocol", False) for kind in kinds):
        return False  # it has what the protocol asks of a value
    if is_bearable(value, hint) or is_bearable(_thawed(value), hint):
        return True
    # Whole numbers where any number may stand, and numpy's numbers.
    whole = isinstance(value, numbers.Integral)
    return (whole and int in kinds) or (isinstance(value, numbers.Real) and float in kinds)


def _computes(value: Any) -> bool:
    """Whether a dtype is one to compute in."""
    if value is None:
        return True
    try:
        return jnp.issubdtype(jnp.dtype(value), jnp.inexact)
    except TypeError:
        return False


def _draws(value: Any) -> bool:
    """Whether a function of JAX's is an initialiser, and not one that makes them."""
    ours = inspect.isfunction(value) and value.__module__.endswith("nn.initializers")
    return not ours or "key" in inspect.signature(value).parameters


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _placed(value: Any, hint: Hint) -> bool:
    """Whether a slot for any block is free of parts that have slots of their own kind."""
    anything = nn.Module in alternatives(hint.plain) or hint.plain == tuple[nn.Module, ...]
    inner = any(isinstance(part, Inner) for part in _parts(value))
    return hint.copied or not anything or not inner


def _uncallable(hint: Hint, called: Called, value: Any) -> nn.Module | None:
    """The first part that does not take what its slot passes, be it of another meaning."""
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


def _thawed(value: Any) -> Any:
    """Lists as the tuples, frozen dicts as the dicts that they are to Linen."""
    return dict(value) if isinstance(value, FrozenDict) else _tupled(value)


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _expected(hint: Hint) -> str:
    if hint.floating:
        return "a floating point dtype" + " or None" * hint.optional
    return readable(hint.plain)
