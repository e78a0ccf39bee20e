"""Checks of field values against their annotations."""

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp
from beartype.door import is_bearable
from flax.core import FrozenDict

from blocks.core.bounds import Bound
from blocks.core.errors.fixes import Mistake, likely_fix
from blocks.core.errors.places import place
from blocks.core.errors.words import alternatives, misfit, readable, shown
from blocks.core.slots import Called, Copied, Inner, adapted
from blocks.core.typing import Draws, Floating


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
                fix = None if hint.floating else likely_fix(Mistake(name, value, hint.plain, plain))
                raise TypeError(misfit(what, _expected(hint), shown(value), fix))
            expected = f"a block called as {name}({', '.join(called.arguments)})"
            takes = list(inspect.signature(type(uncallable).__call__).parameters)[1:]
            actual = f"{shown(uncallable)}, called as ({', '.join(takes)})"
            fix = place(adapted(uncallable), plain) or _wrapped(uncallable, called)
            raise TypeError(misfit(what, expected, actual, fix))
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
    """The annotations of a class's fields, resolved, by name."""
    hints: dict[str, Hint] = {}
    for base in reversed(kind.__mro__):
        for name, annotation in vars(base).get("__annotations__", {}).items():
            hints[name] = _resolved(annotation, base)
    return hints


def _resolved(annotation: Any, owner: type) -> Hint:
    """Resolve the names in an annotation; `Any` where one cannot be found."""
    alone = types.SimpleNamespace(__annotations__={"field": annotation})
    names = vars(inspect.getmodule(owner) or owner)
    try:
        plain = typing.get_type_hints(alone, names, dict(vars(owner)))["field"]
        full = typing.get_type_hints(alone, names, dict(vars(owner)), include_extras=True)["field"]
    except Exception:  # whatever the evaluation of a user's name raises
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
    """Names of the fields marked `Template[...]`, whose parts a block copies and never runs."""
    return frozenset(name for name, hint in field_hints(kind).items() if hint.copied)


def _fits(value: Any, hint: Any) -> bool:
    kinds = alternatives(hint)
    if isinstance(value, bool):  # Python counts True as an integer
        return hint is Any or any(kind in (bool, Any, object) for kind in kinds)
    if inspect.isclass(value) and all(getattr(kind, "_is_protocol", False) for kind in kinds):
        return False  # it has the members of the protocol
    if any(_holds(value, kind) for kind in kinds):
        return True
    # Integers where floats are allowed, and numpy's numbers.
    whole = isinstance(value, numbers.Integral)
    return (whole and int in kinds) or (isinstance(value, numbers.Real) and float in kinds)


def _holds(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type, and every item of a container of its own."""
    container, kinds = typing.get_origin(kind) or kind, typing.get_args(kind)
    if container in (list, tuple) and isinstance(value, (list, tuple)):
        value = container(value)  # a list becomes a tuple in a value
    elif container is dict and isinstance(value, FrozenDict):  # and a dict is frozen by Linen
        value = dict(value)
    if not (kinds and inspect.isclass(container) and issubclass(type(value), container)):
        return is_bearable(value, kind)
    if isinstance(value, Mapping):
        return all(_fits(key, kinds[0]) and _fits(item, kinds[1]) for key, item in value.items())
    if container is tuple and kinds[1:] != (...,):
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if isinstance(value, Collection):
        return all(_fits(item, kinds[0]) for item in value)
    return is_bearable(value, kind)


def _computes(value: Any) -> bool:
    """Return whether a dtype is one to compute in."""
    if value is None:
        return True
    try:
        return jnp.issubdtype(jnp.dtype(value), jnp.inexact)
    except TypeError:
        return False


def _draws(value: Any) -> bool:
    """Return whether a function of JAX is an initialiser, not a factory of one."""
    ours = inspect.isfunction(value) and value.__module__.endswith("nn.initializers")
    return not ours or "key" in inspect.signature(value).parameters


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


def _expected(hint: Hint) -> str:
    if hint.floating:
        return "a floating point dtype, as jnp.bfloat16" + ", or None" * hint.optional
    if hint.draws:
        return "an initialiser, a function of key, shape and dtype, as Normal(0.02)"
    return readable(hint.plain)
