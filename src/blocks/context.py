"""`Context`: what one call shares with every layer, as one typed value."""

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from blocks.carry import Carry
from blocks.core.errors.binding import reporting
from blocks.core.errors.habits import MASK
from blocks.core.errors.words import shown
from blocks.core.typing import Array, Bool, Float, Int, of_jax, typed
from blocks.counting import count

_COUNTS = {
    "streams": "whole number, at least 1; Streams sets it",
    "cache_size": "whole number of tokens, at least 1",
}
_STATIC = tuple(_COUNTS)


@jax.tree_util.register_pytree_with_keys_class
@reporting
@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """Inputs of a call besides the activations, shared by all layers; every field is optional.

    A block is called as `block(x, context, deterministic)`. Arrays are checked against each other
    when a context is made, and against the tokens when a block uses them. Inputs of custom blocks
    go into `extras`.

    Attributes:
        positions: position of each token in its document, from 0, in tokens. By default tokens are
            counted in order, without padding, and from 0 again in each document.
        valid: True for real tokens, False for padding, which no token attends to.
        segment_ids: document of each token in a packed batch, where documents follow one another;
            tokens attend within their own document only.
        token_type_ids: type of each token, for `TokenTypes`.
        tokens: token ids, for `ValueEmbedding`.
        memory: the other sequence, which cross-attention reads: the output of an encoder.
        memory_valid: True for real tokens of the memory, False for padding.
        memory_segment_ids: document of each token of the memory, read by tokens of the same
            document; required with `segment_ids`.
        x0: the embedding that the first layer received, for `X0Mix`.
        condition: a vector that conditions the whole sequence, such as a time or a class.
        carry: arrays from earlier layers, such as the first layer's values; see `Carry`.
        extras: arrays for custom blocks, by name.
        streams: number of residual streams side by side in the width between layers, set by
            `Streams`.
        cache_size: number of tokens that the caches hold. Setting it turns cached decoding on: the
            first call creates the caches in the collection `cache`, further calls append to them.

    Raises:
        TypeError: an array of the wrong dtype or rank, or whose shape does not match the other
            arrays, or a carry that is not a `Carry`.
        ValueError: a cache size or a number of streams below 1, or documents of the tokens or of
            the memory alone.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks import Context
        >>> context = Context(valid=jnp.array([[True, True, False]]))
        >>> context.cache_size is None
        True

        ```
    """

    positions: Int[Array, "#batch seq"] | None = None
    valid: Bool[Array, "batch seq"] | None = None
    segment_ids: Int[Array, "batch seq"] | None = None
    token_type_ids: Int[Array, "batch seq"] | None = None
    tokens: Int[Array, "batch seq"] | None = None
    memory: Float[Array, "batch memory_seq memory_embed"] | None = None
    memory_valid: Bool[Array, "batch memory_seq"] | None = None
    memory_segment_ids: Int[Array, "batch memory_seq"] | None = None
    x0: Float[Array, "batch seq embed"] | None = None
    condition: Float[Array, "batch condition_embed"] | None = None
    carry: Carry | None = None
    extras: Mapping[str, Array] = FrozenDict()
    streams: int = 1
    cache_size: int | None = None

    def __post_init__(self) -> None:
        """Convert numpy arrays to JAX, and check what does not depend on the tokens."""
        for name in _ARRAYS:
            object.__setattr__(self, name, of_jax(getattr(self, name)))
        if not isinstance(self.extras, Mapping):
            raise TypeError(
                f"extras={shown(self.extras)} must be arrays by name; write extras={{name: array}}."
            )
        for name, array in self.extras.items():
            if not isinstance(name, str) or isinstance(array, str):
                raise TypeError(
                    f"extras={{{name!r}: {shown(array)}}} must be arrays by name; what is no array "
                    "belongs in a field of your block."
                )
        if self.extras:
            extras = {name: of_jax(array) for name, array in self.extras.items()}
            object.__setattr__(self, "extras", FrozenDict(extras))
        for name, kind in _COUNTS.items():
            number = getattr(self, name)
            if number is None and name == "cache_size":
                continue
            if type(number) is bool or not isinstance(number, numbers.Integral) or number < 1:
                raise ValueError(f"{name}={number!r} must be a {kind}.")
            object.__setattr__(self, name, int(number))
        if not (self.carry is None or isinstance(self.carry, Carry)):
            raise TypeError(f"carry={self.carry!r} must be a Carry; write Carry({{name: array}}).")
        self.check()
        if self.memory is not None and (self.segment_ids is None) != (
            self.memory_segment_ids is None
        ):
            given, missing = "segment_ids", "memory_segment_ids"
            if self.segment_ids is None:
                given, missing = missing, given
            raise ValueError(
                f"{given} without {missing}: each token reads the memory of its own document; "
                f"give {missing} too, or leave both out."
            )

    def __repr__(self) -> str:
        """The expression that builds the context, arrays by dtype and shape."""
        given = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not field.default and not (field.name == "extras" and not value):
                given.append(f"{field.name}={shown(value)}")
        return f"Context({', '.join(given)})"

    def check(self, batch: int | None = None, seq: int | None = None) -> None:
        """Check arrays against each other, and against tokens of `batch` and `seq`.

        Raises:
            TypeError: names the first array that does not fit, and the sizes that it should have.
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays = {name: array for name, array in arrays.items() if array is not None}
        if arrays:
            sizes = None if batch is None else jax.ShapeDtypeStruct((batch, seq), jnp.int32)
            _context(sizes, **arrays)

    def replace(self, **fields: Any) -> "Context":
        """Return a copy with other `fields`."""
        return dataclasses.replace(self, **fields)

    def tree_flatten_with_keys(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Arrays by their names; static fields apart."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in _STATIC]
        leaves = tuple((jax.tree_util.GetAttrKey(name), getattr(self, name)) for name in names)
        return leaves, tuple(getattr(self, name) for name in _STATIC)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], leaves: tuple[Any, ...]) -> "Context":
        """The inverse of flattening, which checks nothing: transformations add and drop axes."""
        new = object.__new__(cls)
        names = [field.name for field in dataclasses.fields(cls) if field.name not in _STATIC]
        values = zip((*names, *_STATIC), (*leaves, *static), strict=True)
        for name, value in values:
            object.__setattr__(new, name, value)
        return new

    @staticmethod
    def instead_of(value: Any) -> str | None:
        """Return the fix to show where a call received `value` in the place of a context."""
        if isinstance(value, bool):
            return f"write deterministic={value}"
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.bool_):
            return MASK
        if getattr(value, "ndim", 0) == 3:
            return (
                "self-attention takes x once, and makes queries, keys and values of it; what "
                "CrossAttention reads comes as Context(memory=...)"
            )
        named = isinstance(value, (dict, jax.Array))
        return "give its arrays names, as Context(positions=...)" if named else None


_ARRAYS = tuple(
    field.name
    for field in dataclasses.fields(Context)
    if field.name not in ("carry", "extras", *_STATIC)
)


@typed
def _context(
    sizes: Int[jax.ShapeDtypeStruct, "batch seq"] | None = None,
    positions: Int[Array, "#batch seq"] | None = None,
    valid: Bool[Array, "batch seq"] | None = None,
    segment_ids: Int[Array, "batch seq"] | None = None,
    token_type_ids: Int[Array, "batch seq"] | None = None,
    tokens: Int[Array, "batch seq"] | None = None,
    memory: Float[Array, "batch memory_seq memory_embed"] | None = None,
    memory_valid: Bool[Array, "batch memory_seq"] | None = None,
    memory_segment_ids: Int[Array, "batch memory_seq"] | None = None,
    x0: Float[Array, "batch seq embed"] | None = None,
    condition: Float[Array, "batch condition_embed"] | None = None,
) -> None:
    """Check the arrays of a context against each other, and against the tokens."""


class Coordinates(flax.struct.PyTreeNode):
    """Coordinates of tokens, queries or keys, from which masks and positions are computed.

    Attributes:
        order: index of each token in the whole sequence, counted over all cached calls.
        positions: position of each token in its own document, in tokens.
        valid: True for tokens that may be attended to; None where all may be.
        segment_ids: document of each token; None where there is one.
        increasing: whether `order` is known to increase from token to token; False if unknown.
    """

    order: Int[Array, "#batch seq"]
    positions: Int[Array, "#batch seq"]
    valid: Bool[Array, "batch seq"] | None = None
    segment_ids: Int[Array, "batch seq"] | None = None
    increasing: bool = flax.struct.field(pytree_node=False, default=False)


def locate(
    context: Context | None,
    batch: int,
    seq: int,
    length: Int[Array, ""] | int = 0,
) -> Coordinates:
    """Compute the coordinates of `seq` new tokens after `length` earlier ones.

    Raises:
        TypeError: an array in `context` that does not have the shape of the tokens.
    """
    context = Context() if context is None else context
    context.check(batch, seq)
    order = jnp.arange(seq, dtype=jnp.int32)[None]
    positions = context.positions
    if positions is None:
        positions = count(seq, context.valid, context.segment_ids)
    order = order + length
    return Coordinates(order, positions, context.valid, context.segment_ids, increasing=True)
