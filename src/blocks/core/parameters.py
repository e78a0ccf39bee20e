"""Check parameters against a model."""

import re
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from blocks.core.errors.location import reported


@reported
def check_parameters(model: nn.Module, params: Any, *inputs: Any) -> None:
    """Refuse parameters that are not exactly those of a model.

    Linen reads the parameters that a model asks for and silently ignores the rest: weights of four
    layers run in a model of two, and biases of a checkpoint vanish under `use_bias=False`.

    Args:
        model: the model, as a value.
        params: its parameters, as `init` returns them under `"params"`.
        *inputs: arguments of a call, or their shapes as `jax.ShapeDtypeStruct`.

    Raises:
        ValueError: names parameters that are missing, left over or of another shape.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP
        >>> from blocks.core.parameters import check_parameters
        >>> x = jnp.ones((1, 2, 8))
        >>> params = MLP(hidden=4).init(jax.random.key(0), x)["params"]
        >>> check_parameters(MLP(hidden=4), params, x)
        >>> check_parameters(MLP(hidden=4, use_bias=False), params, x)
        Traceback (most recent call last):
        ...
        ValueError: ...

        ```
    """
    shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    wanted = _shapes(shapes.get("params", {}))
    given = _shapes(params)
    lines = [
        *(f"missing:    {path} {wanted[path]}" for path in wanted if path not in given),
        *(f"left over:  {path} {given[path]}" for path in given if path not in wanted),
        *(
            f"misshapen:  {path} {given[path]}, where the model has {wanted[path]}"
            for path in wanted
            if path in given and given[path] != wanted[path]
        ),
    ]
    if not lines:
        return
    shown = lines if len(lines) <= 12 else [*lines[:12], f"and {len(lines) - 12} more"]
    fix = _layout(set(wanted), set(given))
    raise ValueError(
        f"the parameters are not those of this {type(model).__name__}\n  "
        + "\n  ".join(shown)
        + ("" if fix is None else f"\n  fix:        {fix}")
    )


def _shapes(params: Any) -> dict[str, tuple[int, ...]]:
    plain = nn.meta.unbox(params)
    return {path: jnp.shape(leaf) for path, leaf in sorted(flatten_dict(plain, sep="/").items())}


def _layout(wanted: set[str], given: set[str]) -> str | None:
    """Suggest converting between the two layouts of a stack, if that is the difference."""
    loop, scan = re.compile(r"(^|/)layer_\d+/"), re.compile(r"(^|/)layers(_\d+)?/")
    missing, left = wanted - given, given - wanted
    if any(map(scan.search, missing)) and any(map(loop.search, left)):
        return "they are a loop's, and the stack is a scan: stack_layers(params of the stack)"
    if any(map(loop.search, missing)) and any(map(scan.search, left)):
        return "they are a scan's, and the stack is a loop: unstack_layers(params of the stack)"
    return None
