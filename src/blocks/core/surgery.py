"""Change a model before it has weights: `override`, `replace`, `find`."""

from collections.abc import Callable
from typing import Any, TypeVar

import flax.linen as nn

from blocks.core.block import fields_of, fresh, map_modules, modules_in
from blocks.core.errors.location import reported
from blocks.core.errors.words import nearest

M = TypeVar("M", bound=nn.Module)


@reported
def find(model: nn.Module, kind: type[M]) -> dict[str, M]:
    """Finds the parts of `model` that are of a `kind`, by their path.

    Example:
        ```python
        >>> from blocks import Causal, MLP, MultiHeadAttention, TransformerBlock, find
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> list(find(TransformerBlock(attention=attention, mlp=MLP(hidden=8)), MLP))
        ['mlp']

        ```

    Raises:
        TypeError: a `kind` that is no class.
    """
    if not isinstance(kind, type):
        raise TypeError(f"kind={kind} is no class of blocks; write {type(kind).__name__}.")
    found = {}

    def visit(path: str, module: nn.Module) -> None:
        if isinstance(module, kind):
            found[path] = module
        for name, value in fields_of(module).items():
            for child_path, child in modules_in(value, name):
                visit(f"{path}.{child_path}" if path else child_path, child)

    visit("", model)
    return found


@reported
def override(model: M, **fields: Any) -> M:
    """Sets fields wherever they exist in `model` and its parts.

    Raises:
        ValueError: a field that no part has; the message gives the nearest one.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks import MLP, override
        >>> override(MLP(hidden=8), dtype=jnp.bfloat16).dtype
        <class 'jax.numpy.bfloat16'>

        ```
    """
    parts = find(model, nn.Module).values()
    known = {name for part in parts for name in fields_of(part)}
    for name in fields:
        if name not in known:
            hint = nearest(name, sorted(known))
            raise ValueError(f"no part of {type(model).__name__} has a field `{name}`; {hint}")

    def change(module: Any) -> Any:
        own = fields_of(module)
        return fresh(
            module,
            **{
                name: fields[name] if name in fields else map_modules(value, change)
                for name, value in own.items()
            },
        )

    return change(model)


@reported
def replace(model: nn.Module, kind: type[M], function: Callable[[M], nn.Module]) -> Any:
    """Puts `function(part)` in the place of every part of a `kind`, outermost first.

    Raises:
        ValueError: no part of `model` is of that kind; the message lists the kinds there are.
        TypeError: a `kind` that is no class, or a block in the place of the function.

    Example:
        ```python
        >>> from blocks import LayerNorm, MLP, MultiHeadAttention, RMSNorm, TransformerBlock
        >>> from blocks import replace
        >>> block = TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=MLP(hidden=8))
        >>> replace(block, LayerNorm, lambda norm: RMSNorm(epsilon=norm.epsilon)).norm
        RMSNorm(epsilon=1e-05)

        ```
    """
    if isinstance(function, nn.Module):
        name = type(function).__name__
        raise TypeError(
            f"replace takes a function of the old part, and got the block {name}; write "
            f"lambda old: {name}(...)."
        )
    if not find(model, kind):
        kinds = sorted({type(part).__name__ for part in find(model, nn.Module).values()})
        raise ValueError(
            f"no part of {type(model).__name__} is a {kind.__name__}; it has {', '.join(kinds)}."
        )

    def change(module: Any) -> Any:
        if isinstance(module, kind):
            return function(module)
        own = fields_of(module)
        return fresh(module, **{name: map_modules(own[name], change) for name in own})

    return change(model)
