"""Work of a traced call, counted part by part."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import flax.linen as nn
import jax
from jax.extend.core import Jaxpr
from jax.interpreters.partial_eval import dce_jaxpr

from blocks.core.leave import SHARE
from blocks.layers.stack import Stack

Path = tuple[str, ...]
# Prefix of the name of a scope that tells whose work is traced.
PART = "part:"


def work_of(
    function: Callable[..., Any], *arguments: Any
) -> tuple[dict[Path, Fraction], dict[Path, nn.Module]]:
    """Count floating point operations of matrix products and convolutions, and list the parts run.

    A product of an `m x k` and a `k x n` matrix is `2 m k n` operations. Nothing runs: arguments
    may be shapes. Operations are counted as often as they are computed: scans by their length,
    branches by the most expensive one, hidden pairs included.

    Returns:
        The work of each part by its path, without that of the parts in it.
    """
    parts: dict[Path, nn.Module] = {}

    def mark(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        if module.scope is None:
            return call(*args, **kwargs)
        parts.setdefault(module.path, module)
        with jax.named_scope(PART + ".".join(module.path)):
            return call(*args, **kwargs)

    with nn.intercept_methods(mark):
        traced = jax.make_jaxpr(function)(*arguments)
    needed, _ = dce_jaxpr(traced.jaxpr, [True] * len(traced.jaxpr.outvars))
    return _work(needed, (), Fraction(1)), parts


def _work(jaxpr: Jaxpr, part: Path, times: Fraction) -> dict[Path, Fraction]:
    total: dict[Path, Fraction] = defaultdict(Fraction)
    for equation in jaxpr.eqns:
        own_part, own_times = part, times
        for scope in equation.source_info.name_stack.stack:
            name = getattr(scope, "name", "")
            if name.startswith(PART):
                own_part = tuple(name.removeprefix(PART).split(".")) if name != PART else ()
            elif name.startswith(SHARE):
                needed, computed = name.removeprefix(SHARE).split(" of ")
                own_times *= Fraction(int(needed), int(computed))
        total[own_part] += own_times * _product(equation)
        own_times *= equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        several = [_work(inner, own_part, own_times) for inner in _inner(equation)]
        if equation.primitive.name == "cond":
            several = [max(several, key=lambda work: sum(work.values()))]
        for inner in several:
            for path, work in inner.items():
                total[path] += work
    return total


def _product(equation: Any) -> int:
    """Operations of one primitive; 0 unless it is a product."""
    if equation.primitive.name not in ("dot_general", "conv_general_dilated"):
        return 0
    left, right = (variable.aval.shape for variable in equation.invars)
    out = math.prod(equation.outvars[0].aval.shape)
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2 * out * math.prod(left[axis] for axis in contracted)
    # Axes of a convolution's filter: outputs, inputs of a group, window.
    _, *summed = (right[axis] for axis in equation.params["dimension_numbers"].rhs_spec)
    return 2 * out * math.prod(summed)


def _inner(equation: Any) -> Iterator[Jaxpr]:
    for value in equation.params.values():
        for inner in value if isinstance(value, (tuple, list)) else (value,):
            jaxpr = getattr(inner, "jaxpr", inner)  # a closed jaxpr holds a jaxpr
            if isinstance(jaxpr, Jaxpr):
                yield jaxpr


def merged(path: Path, parts: dict[Path, nn.Module]) -> Path:
    """Convert the path of a part to that in a scanned model: `layer_5` becomes `layers`."""
    shown = list(path)
    for place, name in enumerate(path):
        stack = parts.get(path[:place])
        if isinstance(stack, Stack) and name.startswith("layer_"):
            pattern = len(stack.block) if isinstance(stack.block, tuple) else 1
            number = int(name.removeprefix("layer_")) % pattern
            shown[place] = "layers" if pattern == 1 else f"layers_{number}"
    return tuple(shown)
