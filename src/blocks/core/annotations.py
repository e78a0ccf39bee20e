"""Annotations of functions and classes, and the values that fit them."""

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any

from beartype.door import is_bearable
from beartype.roar import BeartypeException
from flax.core import FrozenDict

from blocks.core.errors.words import alternatives


@functools.cache
def annotations_of(owner: Any) -> dict[str, Any]:
    """Resolve the annotations of a function, or a class's own; `Any` for one that cannot be.

    That of `*parts` is one of a tuple, and that of `**options` one of a dict.
    """
    names = getattr(owner, "__globals__", None) or vars(inspect.getmodule(owner) or owner)
    hints: dict[str, Any] = {}
    for name, annotation in inspect.get_annotations(owner).items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= typing.get_type_hints(alone, names, dict(vars(owner)), include_extras=True)
        except Exception:  # whatever the evaluation of a user's name raises
            hints[name] = Any
    if inspect.isfunction(owner):
        kinds = {name: p.kind for name, p in inspect.signature(owner).parameters.items()}
        for name in hints.keys() & kinds.keys():
            if kinds[name] is inspect.Parameter.VAR_POSITIONAL:
                hints[name] = tuple[hints[name], ...]
            elif kinds[name] is inspect.Parameter.VAR_KEYWORD:
                hints[name] = dict[str, hints[name]]
    return hints


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value, and every item of a container, fits an annotation.

    A list fits as the tuple that it means, an integer as a float, and numpy's numbers as Python's;
    a bool is not a number. Any value fits an annotation that cannot be checked.
    """
    kinds = alternatives(hint)
    if isinstance(value, bool):  # Python counts True as an integer
        kinds = tuple(kind for kind in kinds if kind not in (int, float))
    if inspect.isclass(value) and all(getattr(kind, "_is_protocol", False) for kind in kinds):
        return False  # it has the members of the protocol
    wider = {float: numbers.Real, int: numbers.Integral}
    return any(_holds(value, wider.get(kind, kind)) for kind in kinds)


def _holds(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type, and every item of a container of its own."""
    container, kinds = typing.get_origin(kind) or kind, typing.get_args(kind)
    if container in (list, tuple) and isinstance(value, (list, tuple)):
        value = container(value)  # a list becomes a tuple in a value
    elif container is dict and isinstance(value, FrozenDict):  # and a dict is frozen by Linen
        value = dict(value)
    if kinds and inspect.isclass(container) and issubclass(type(value), container):
        if isinstance(value, Mapping):
            return all(fits(key, kinds[0]) and fits(item, kinds[1]) for key, item in value.items())
        if container is tuple and kinds[1:] != (...,):
            return len(value) == len(kinds) and all(map(fits, value, kinds))
        if isinstance(value, Collection):
            return all(fits(item, kinds[0]) for item in value)
    try:
        return is_bearable(value, kind)
    except BeartypeException:
        return True
