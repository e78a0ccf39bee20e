"""Comparison of arguments and result with a function's annotations, one by one.

Sizes of axes are compared within the surrounding `jaxtyping.jaxtyped` context.
"""

import functools
import itertools
import typing
from collections.abc import Callable, Iterable
from typing import Any

import flax.linen as nn

from blocks.core.annotations import annotations_of, fits
from blocks.core.errors.fixes import likely_fix
from blocks.core.errors.location import here
from blocks.core.errors.words import alternatives, misfit, readable, shown

RESULT = "return"


def check(function: Callable[..., Any], given: dict[str, Any], names: Iterable[str]) -> None:
    """Compare the `names` among the given arguments, or the `RESULT`, with their annotations.

    Raises:
        TypeError: names the first that does not fit, what is expected, what was given, and the fix.
    """
    hints = annotations_of(function)
    for name in names:
        hint = _sized(hints.get(name, Any), given)
        if fits(given[name], hint):
            continue
        fix, what = None, "the result"
        if name != RESULT:
            fix, what = likely_fix(name, given[name], hint, hints), f"argument `{name}`"
        if here() and not isinstance(next(iter(given.values())), nn.Module):
            what += f" of {function.__qualname__.lstrip('_')}"
        what += " does not fit its signature"
        axes = _axes_before(name, hint, hints, given)
        raise TypeError(misfit(what, readable(hint), shown(given[name]), fix, axes))


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


def _axes_before(
    parameter: str, hint: Any, hints: dict[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    """Sizes of the axes of an annotation that earlier arguments have bound."""
    asked = " ".join(getattr(kind, "dim_str", "") for kind in alternatives(hint))
    axes: dict[str, Any] = {}
    for name, value in itertools.takewhile(lambda item: item[0] != parameter, given.items()):
        for kind in alternatives(_sized(hints.get(name, Any), given)):
            dims = getattr(kind, "dim_str", "*")
            if "*" not in dims and isinstance(value, kind):
                for dim, size in zip(dims.split(), value.shape, strict=True):
                    if dim in asked.split() or (size > 1 and dim.lstrip("#") in asked.split()):
                        axes[dim.lstrip("#")] = size
    return axes
