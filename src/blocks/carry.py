"""`Carry`: arrays that layers leave for later layers of the same call, as an immutable value."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import jax

from blocks.core.typing import Array

if TYPE_CHECKING:
    from blocks.context import Context

T = TypeVar("T")
C = TypeVar("C", bound="Context | None")


@jax.tree_util.register_pytree_with_keys_class
class Carry(Mapping[str, Array]):
    """Arrays that layers leave for later layers of the same call, by name.

    Carry in, carry out: a block that is called with `Context(carry=...)` and leaves something
    returns `(result, carry)`, where `carry` holds the arrays it was given and those it left. A
    `Stack` threads it from layer to layer; a custom loop does so with `split_carry`.

    Attributes:
        arrays: the arrays by name.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks.carry import Carry
        >>> before = Carry()
        >>> after = before | {"total": jnp.ones((2, 3))}
        >>> sorted(before), sorted(after)
        ([], ['total'])

        ```
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, Array] | None = None) -> None:
        self._arrays = dict(arrays or {})

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __or__(self, left: Mapping[str, Array]) -> "Carry":
        """Merge with the arrays in `left`, which replace those of the same name."""
        return Carry({**self._arrays, **left})

    def __repr__(self) -> str:
        return f"Carry({self._arrays})"

    def tree_flatten_with_keys(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        """Arrays in the order of their names."""
        names = tuple(sorted(self))
        return tuple((jax.tree_util.DictKey(name), self[name]) for name in names), names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], arrays: tuple[Any, ...]) -> "Carry":
        """The inverse of flattening."""
        return cls(dict(zip(names, arrays, strict=True)))


# Result of a block that may leave something: alone, or with a carry.
AndCarry: TypeAlias = T | tuple[T, Carry]


def split_carry(result: AndCarry[T], context: C) -> tuple[T, C]:
    """Split the return value of a block into its result and the context of the next block.

    Args:
        result: return value of a block that was called with `context`.
        context: context of that call.

    Returns:
        The result alone, and `context` with the returned carry, if there is one.

    Raises:
        ValueError: a carry was returned by a call that was given none.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, Context, MultiHeadAttention, Stack, TransformerBlock
        >>> from blocks.carry import Carry
        >>> from blocks import ValueResidual
        >>> from blocks.carry import split_carry
        >>> attention = MultiHeadAttention(num_heads=2, values=(ValueResidual(),))
        >>> layer = TransformerBlock(attention=attention, mlp=MLP(hidden=8))
        >>> x = jnp.ones((1, 3, 4))
        >>> params = Stack(block=layer, depth=2).init(jax.random.key(0), x)["params"]
        >>> context = Context(carry=Carry())
        >>> for name in ("layer_0", "layer_1"):
        ...     result = layer.apply({"params": params[name]}, x, context)
        ...     x, context = split_carry(result, context)
        >>> list(context.carry)
        ['first_value']

        ```
    """
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Carry)):
        return result, context  # pyright: ignore[reportReturnType]
    if context is None or context.carry is None:
        raise ValueError(
            f"a carry of {', '.join(result[1]) or 'nothing'} came back from a call without one; "
            "return a carry only where context.carry was given."
        )
    return result[0], context.replace(carry=result[1])  # pyright: ignore[reportReturnType]


def join_carry(result: T, context: "Context | None", given: "Context | None") -> AndCarry[T]:
    """Join a block's result with its carry, if it left anything: the inverse of `split_carry`.

    Args:
        result: result of the block.
        context: context after the block's parts have run, as `split_carry` returns it.
        given: context that the block was called with.
    """
    if given is None or given.carry is None:
        return result
    assert context is not None
    assert context.carry is not None
    return result if context.carry is given.carry else (result, context.carry)
