"""Model surgery before initialisation: `override`, `replace` and `find`."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import flax.linen as nn

from blocks.core.block import fresh
from blocks.core.errors.location import reported
from blocks.core.errors.words import nearest, shown
from blocks.core.fields import copied_slots
from blocks.core.modules import fields_of, map_modules, modules_in
from blocks.core.parts import part_name

M = TypeVar("M", bound=nn.Module)


@reported
def find(model: nn.Module, kind: type[M]) -> dict[str, M]:
    """Find the parts of `model` that are of a `kind`, by their path.

    Example:
        ```python
        >>> from blocks import Causal, MLP, MultiHeadAttention, TransformerBlock, find
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> list(find(TransformerBlock(attention=attention, mlp=MLP(hidden=8)), MLP))
        ['mlp']

        ```

    Raises:
        TypeError: a `kind` that is not a class.
    """
    check_model(model, "find")
    _check_kind(kind)
    found = {}

    def visit(path: str, module: nn.Module) -> None:
        if isinstance(module, kind):
            found[path] = module
        for name, value in fields_of(module).items():
            in_tuple = isinstance(value, tuple) and name not in copied_slots(type(module))
            for place, child in modules_in(value, name):
                child_path = part_name(child) if in_tuple else place
                visit(f"{path}.{child_path}" if path else child_path, child)

    visit("", model)
    return found


@reported
def override(model: M, kind: type[nn.Module] | None = None, /, **fields: Any) -> M:
    """Set fields in `model` and its parts.

    An option with one meaning everywhere, such as `dtype` or `dropout_rate` (`EVERYWHERE`), is set
    wherever it exists. Any other field, a size or a slot, belongs to one kind of block and those
    that inherit it: if unrelated kinds have it too, `kind` selects one. A kind in which the field
    is None throughout does not use it, and keeps None.

    Args:
        model: the value to change; it stays as it was.
        kind: the class of the parts to change, with its subclasses; None for any.
        **fields: new values by name.

    Raises:
        ValueError: a field that no part has, or that parts of several kinds have.
        TypeError: a `kind` that is not a class.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks import MLP, Stack, override
        >>> override(MLP(hidden=8), dtype=jnp.bfloat16).dtype
        <class 'jax.numpy.bfloat16'>
        >>> override(Stack(block=MLP(hidden=8), depth=4), Stack, depth=2).depth
        2

        ```
    """
    check_model(model, "override")
    if kind is not None:
        _check_kind(kind)
    parts = find(model, nn.Module if kind is None else kind).values()
    if not parts:
        _refuse_absent(model, kind)
    owners = {name: _owners(name, fields[name], parts) for name in fields}
    for name, kinds in owners.items():
        if not kinds:
            known = sorted({name for part in parts for name in fields_of(part)})
            hint = nearest(name, known)
            where = f"no part of {type(model).__name__}" if kind is None else f"no {kind.__name__}"
            raise ValueError(f"{where} has a field `{name}`; {hint}")
        declaring = {_declaring(owner, name) for owner in kinds}
        if kind is None and len(declaring) > 1 and name not in EVERYWHERE:
            names = sorted(owner.__name__ for owner in kinds)
            raise ValueError(
                f"`{name}` is a field of {', '.join(names[:-1])} and {names[-1]}; say which is "
                f"meant: override(model, {names[0]}, {name}=...)."
            )

    def change(module: Any) -> Any:
        own = {name: map_modules(value, change) for name, value in fields_of(module).items()}
        own |= {name: fields[name] for name, kinds in owners.items() if type(module) in kinds}
        return type(module)(**own, name=module.name, parent=None)

    return change(model)


EVERYWHERE = frozenset(
    {
        "activation",
        "bias_init",
        "dropout_rate",
        "dtype",
        "embedding_init",
        "epsilon",
        "implementation",
        "kernel_init",
        "out_kernel_init",
        "param_dtype",
        "scale_init",
        "use_bias",
    }
)
"""Options with one meaning in all blocks, which `override` sets wherever they exist."""


def _owners(name: str, value: Any, parts: Iterable[nn.Module]) -> set[type[nn.Module]]:
    """Kinds of the parts that have a field; only those where it is not None, if there are any."""
    having = [part for part in parts if name in fields_of(part)]
    using = {type(part) for part in having if getattr(part, name) is not None}
    return using or {type(part) for part in having}


def _declaring(kind: type, name: str) -> type:
    """The class that declares a field, and so defines its meaning for subclasses."""
    return [base for base in kind.__mro__ if name in vars(base).get("__annotations__", {})][-1]


def check_model(model: Any, function: str) -> None:
    """Refuse what is no block as the first argument of a function.

    Raises:
        TypeError: says what was given, and what comes first.
    """
    if isinstance(model, nn.Module):
        return
    if isinstance(model, type):
        fix = f"{model.__name__} is the class; pass a block, {model.__name__}(...)."
    else:
        fix = f"got {shown(model)}; the model comes first: {function}(model, ...)."
    raise TypeError(f"the first argument of {function} must be a block; {fix}")


def _check_kind(kind: Any) -> None:
    if isinstance(kind, type):
        return
    if isinstance(kind, nn.Module):
        fix = f"write the class, {type(kind).__name__}"
    elif isinstance(kind, str):
        fix = "write the class instead of its name, as RMSNorm"
    else:
        fix = "write a class, as RMSNorm"
    raise TypeError(f"kind={shown(kind)} is not a class of blocks; {fix}.")


def _refuse_absent(model: nn.Module, kind: Any) -> None:
    kinds = sorted({type(part).__name__ for part in find(model, nn.Module).values()})
    raise ValueError(
        f"no part of {type(model).__name__} is a {kind.__name__}; it has {', '.join(kinds)}."
    )


@reported
def replace(model: nn.Module, kind: type[M], function: Callable[[M], nn.Module]) -> Any:
    """Replace every part of a `kind` by `function(part)`, outermost first.

    Raises:
        ValueError: no part of `model` is of that kind; the message lists the existing kinds.
        TypeError: a `kind` that is not a class, or a block in the place of the function.

    Example:
        ```python
        >>> from blocks import LayerNorm, MLP, MultiHeadAttention, RMSNorm, TransformerBlock
        >>> from blocks import replace
        >>> block = TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=MLP(hidden=8))
        >>> replace(block, LayerNorm, lambda norm: RMSNorm(epsilon=norm.epsilon)).norm
        RMSNorm(epsilon=1e-05)

        ```
    """
    check_model(model, "replace")
    _check_kind(kind)
    if isinstance(function, type):
        raise TypeError(
            f"replace takes a function of the old part, and got the class {function.__name__}; "
            f"write lambda old: {function.__name__}(...)."
        )
    if isinstance(function, nn.Module):
        name = type(function).__name__
        raise TypeError(
            f"replace takes a function of the old part, and got the block {name}; write "
            f"lambda old: {name}(...)."
        )
    if not find(model, kind):
        _refuse_absent(model, kind)

    def change(module: Any) -> Any:
        if isinstance(module, kind):
            return function(module)
        own = fields_of(module)
        return fresh(module, **{name: map_modules(own[name], change) for name in own})

    return change(model)
