"""Comparison of arguments and result with a function's annotations, one by one.

Sizes of axes are compared within the surrounding `jaxtyping.jaxtyped` context.
"""

import functools
import inspect
import itertools
import typing
from collections.abc import Callable, Iterable
from typing import Any

import flax.linen as nn
from beartype.door import is_bearable
from beartype.roar import BeartypeException

from blocks.core.errors.fixes import Mistake, likely_fix
from blocks.core.errors.location import here
from blocks.core.errors.words import alternatives, misfit, readable, shown

RESULT = "return"


@functools.cache
def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations by argument, except those that cannot be resolved."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # a name that only type checkers import
        hints = {n: hint for n, hint in function.__annotations__.items() if type(hint) is not str}
    for name in hints.keys() - {RESULT}:
        kind = inspect.signature(function).parameters[name].kind
        if kind is kind.VAR_POSITIONAL:
            hints[name] = tuple[hints[name], ...]
        if kind is kind.VAR_KEYWORD:
            hints[name] = dict[str, hints[name]]
    return hints


def check(function: Callable[..., Any], given: dict[str, Any], names: Iterable[str]) -> None:
    """Compare values with their annotations.

    Args:
        function: the function that is called.
        given: arguments by name, and the result as `RESULT`.
        names: those to compare.

    Raises:
        TypeError: names the first that does not fit, what is expected, what was given, and the fix.
    """
    hints = hints_of(function)
    for name in names:
        hint = _sized(hints.get(name, Any), given)
        if fits(given[name], hint):
            continue
        arrays = any(hasattr(kind, "dim_str") for kind in alternatives(hint))
        axes = _axes_before(name, hints, given) if arrays else {}
        fix, what = None, "the result"
        if name != RESULT:
            fix = likely_fix(Mistake(name, given[name], hint, hints, axes))
            what = f"argument `{name}`"
        if here() and not isinstance(next(iter(given.values())), nn.Module):
            what += f" of {function.__qualname__.lstrip('_')}"
        what += " does not fit its signature"
        raise TypeError(misfit(what, readable(hint), shown(given[name]), fix, axes))


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value fits an annotation; always True for one that cannot be checked."""
    if hasattr(hint, "dim_str"):
        return isinstance(value, hint)
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (...,):  # every item
        return isinstance(value, tuple) and all(fits(v, typing.get_args(hint)[0]) for v in value)
    try:
        return is_bearable(value, hint)
    except BeartypeException:
        return True


def _sized(hint: Any, given: dict[str, Any]) -> Any:
    """Fill the sizes of a block into an annotation: `batch {self.features}` becomes `batch 8`."""
    if not _asks_sizes(hint):
        return hint
    if hasattr(hint, "dim_str"):
        return hint.dtype[hint.array_type, hint.dim_str.format(**given)]
    parts = tuple(_sized(part, given) for part in typing.get_args(hint))
    return tuple[parts] if typing.get_origin(hint) is tuple else typing.Union[parts]  # noqa: UP007


@functools.cache
def _asks_sizes(hint: Any) -> bool:
    return "{" in getattr(hint, "dim_str", str(hint))


def _axes_before(parameter: str, hints: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Sizes of the axes bound by earlier arguments."""
    axes: dict[str, Any] = {}
    for name, value in itertools.takewhile(lambda item: item[0] != parameter, given.items()):
        kinds = alternatives(_sized(hints.get(name, Any), given))
        kind = next((k for k in kinds if hasattr(k, "dim_str") and isinstance(value, k)), None)
        names = kind.dim_str.split() if kind else []
        sizes = list(value.shape) if kind else []
        for at in (i for i, axis in enumerate(names) if axis.startswith("*")):
            end = at + 1 + len(sizes) - len(names)
            sizes[at:end] = [tuple(sizes[at:end])]
        for axis, size in zip(names, sizes, strict=True):
            if axis.lstrip("#*").isidentifier() and not (axis.startswith("#") and size == 1):
                axes[axis.lstrip("#*")] = size
    return axes
