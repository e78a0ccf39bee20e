"""What does not fit a signature, in four lines: the argument, expected, actual, the likely fix."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import flax.linen as nn

from blocks.core.errors.fixes import Mistake, alternatives, likely_fix
from blocks.core.errors.location import running


def explain(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], report: str
) -> str:
    """Says what jaxtyping's report says in twenty lines."""
    parameter = re.search(r"whilst typechecking parameter '(\w+)'", report)
    actual = re.search(r"^Actual value: (.*?)(?: Expected type:|$)", report, re.M)
    expected = re.search(r"^.*Expected type: (.*?)\.?$", report, re.M)
    bound = re.search(r"each jaxtyping axis annotation are as follows\.\n((?:\w+=.*\n?)+)", report)
    if not (actual and expected):
        return report
    axes = dict(line.split("=", 1) for line in bound[1].splitlines()) if bound else {}
    if parameter:
        before = _axes_before(function, parameter[1])
        axes = {name: size for name, size in axes.items() if name in before}
    hint = readable(expected[1])
    what = f"argument `{parameter[1]}`" if parameter else "the result"
    inside = running.get() is not None and not (args and isinstance(args[0], nn.Module))
    text = (
        f"{what}{f' of {_name(function)}' if inside else ''} does not fit its signature\n"
        f"  expected: {hint}\n"
        f"  actual:   {_clipped(readable(actual[1]))}"
    )
    if axes and "[Array" in hint:
        text += f"\n  with:     {_listed(axes)} (bound by the arguments before it)"
    if parameter:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        fix = likely_fix(Mistake(function, parameter[1], given, axes))
        text += "" if fix is None else f"\n  fix:      {fix}"
    return text


def misses_an_argument(
    caught: Exception, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TypeError | None:
    """What Python says of too few, too many or unknown arguments, and the signature."""
    signature = inspect.signature(function)
    if not isinstance(caught, TypeError):
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        parameters = list(signature.parameters.values())
        own = args and isinstance(args[0], nn.Module)
        shown = ", ".join(
            name if kind.default is inspect.Parameter.empty else f"{name}={kind.default!r}"
            for name, kind in signature.parameters.items()
            if not (own and name == parameters[0].name)
        )
        said = re.sub(r"missing a required argument: (.*)", r"argument \1 is missing", str(error))
        said = said.replace("'", "`")
        return TypeError(f"{said}; call it as ({shown}).")
    return None


def readable(annotation: str) -> str:
    """An annotation as it stands in the source, without what Python wraps around it."""
    bare = re.sub(r"<class '(.*?)'>", r"\1", annotation.strip())
    bare = re.sub(r"\b(?:[A-Za-z_]\w*\.)+(\w+)(?=[\[\] |,]|$)", r"\1", bare)
    bare = re.sub(r"Annotated\[(.*), ~IsInstance\[\w+\]\]", r"\1", bare)
    function = r"<(?:PjitFunction of <)?function ([\w.]+|<lambda>)(?: at 0x\w+)?>{1,2}"
    bare = re.sub(function, lambda found: f"the function {found[1].rpartition('.')[2]}", bare)
    return bare.replace("(jax)", "").replace("(numpy)", " of numpy")


def _axes_before(function: Callable[..., Any], parameter: str) -> set[str]:
    """Axes that the arguments before one name; its own are no reason why it does not fit."""
    names = set()
    for name, hint in function.__annotations__.items():
        if name == parameter:
            break
        for kind in alternatives(hint):
            names.update(re.findall(r"\w+", getattr(kind, "dim_str", "")))
    return names


def _listed(axes: dict[str, str]) -> str:
    return ", ".join(f"{name}={size}" for name, size in axes.items())


def _clipped(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."


def _name(function: Callable[..., Any]) -> str:
    return function.__qualname__.lstrip("_")
