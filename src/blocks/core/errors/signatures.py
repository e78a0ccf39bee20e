"""Check arguments and results against a function's annotations, one by one.

Sizes of axes are compared within the surrounding `jaxtyping.jaxtyped` context.
"""

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import flax.linen as nn
from beartype.door import is_bearable
from beartype.roar import BeartypeException

from blocks.core.errors.fixes import Mistake, likely_fix
from blocks.core.errors.habits import ARGUMENTS
from blocks.core.errors.location import here
from blocks.core.errors.words import alternatives, misfit, readable, shown

RESULT = "return"


@functools.cache
def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations by argument, except those that cannot be resolved."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # a name that only type checkers import
        hints = function.__annotations__
    hints = {name: hint for name, hint in hints.items() if not isinstance(hint, str)}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in hints and parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            hints[name] = tuple[hints[name], ...]
        if name in hints and parameter.kind is inspect.Parameter.VAR_KEYWORD:
            hints[name] = dict[str, hints[name]]
    return hints


def bind(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Bind the arguments to their names.

    Raises:
        TypeError: too few, too many or unknown arguments; the message shows the signature.
    """
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        said = str(error)
    said = said.removeprefix("missing a required argument: ").replace("'", "`")
    said = f"argument {said} is missing" if said.startswith("`") else said
    shown = ", ".join(
        name if kind.default is inspect.Parameter.empty else f"{name}={kind.default!r}"
        for name, kind in signature.parameters.items()
        if not (name == "self" and args and isinstance(args[0], nn.Module))
    )
    unknown = next((name for name in kwargs if name not in signature.parameters), "")
    habit = f"; {ARGUMENTS[unknown]}" if unknown in ARGUMENTS else ""
    raise TypeError(f"{said}; call it as ({shown}){habit}.")


def check_arguments(function: Callable[..., Any], given: dict[str, Any]) -> None:
    """Compare arguments, given by name, with their annotations.

    Raises:
        TypeError: names the first that does not fit, what is expected, what was given, and the fix.
    """
    hints = hints_of(function)
    for name, value in given.items():
        if name not in hints:
            continue
        hint = _sized(hints[name], given)
        if fits(value, hint):
            continue
        axes = _axes_before(name, hints, given)
        fix = likely_fix(Mistake(function, name, hint, given, axes))
        listed = ", ".join(f"{axis}={size}" for axis, size in axes.items())
        listed = listed if _may_be_array(hint) else None
        what = f"argument `{name}`{_of(function, given)} does not fit its signature"
        raise TypeError(misfit(what, readable(hint), shown(value), fix, listed))


def check_result(function: Callable[..., Any], given: dict[str, Any], result: Any) -> None:
    """Compare the result of a function with its annotation.

    Raises:
        TypeError: the result does not fit.
    """
    hint = _sized(hints_of(function).get(RESULT, Any), given)
    if not fits(result, hint):
        what = f"the result{_of(function, given)} does not fit its signature"
        raise TypeError(misfit(what, readable(hint), shown(result)))


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value fits an annotation; always True for one that cannot be checked."""
    if hint is Any:
        return True
    if hasattr(hint, "dim_str"):
        return isinstance(value, hint)
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (...,):  # every item
        return isinstance(value, tuple) and all(fits(v, typing.get_args(hint)[0]) for v in value)
    try:
        return is_bearable(value, hint)
    except BeartypeException:
        return True


def _may_be_array(hint: Any) -> bool:
    return any(hasattr(kind, "dim_str") for kind in alternatives(hint))


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
    for name, value in given.items():
        if name == parameter:
            break
        kinds = alternatives(hints.get(name, Any))
        kind = next((k for k in kinds if hasattr(k, "dim_str") and isinstance(value, k)), None)
        names = kind.dim_str.split() if kind else []
        extra = len(value.shape) - len(names) if kind else 0
        at = 0
        for axis in names:
            width = extra + 1 if axis.startswith("*") else 1
            size = value.shape[at : at + width] if axis.startswith("*") else value.shape[at]
            at += width
            if axis.lstrip("#*").isidentifier() and not (axis.startswith("#") and size == 1):
                axes[axis.lstrip("#*")] = size
    return axes


def _of(function: Callable[..., Any], given: dict[str, Any]) -> str:
    """The function as a prefix, unless the message starts with its name."""
    method = isinstance(next(iter(given.values()), None), nn.Module)
    return "" if method or not here() else f" of {function.__qualname__.lstrip('_')}"
