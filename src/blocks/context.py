"""What one call shares with every layer, in one typed value."""

from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp

from blocks.carry import Carry
from blocks.core.errors.making import Reporting
from blocks.core.typing import Array, Bool, Float, Int, of_jax, typed


class Context(flax.struct.PyTreeNode, metaclass=Reporting):
    """What a call knows beyond the activations; every field may be left out.

    A block is called as `block(x, context, deterministic)`. A new need adds a field here, not an
    argument to every layer.

    Attributes:
        positions: place of each token in its sequence, from 0, in tokens. By default tokens are
            counted in order, padding left out.
        valid: True for real tokens, False for padding, which no token attends to.
        segment_ids: document of each token in a packed batch; tokens see their own document only.
        token_type_ids: type of each token, which `TokenTypes` has a vector for.
        memory: the other sequence that cross-attention reads, as an encoder leaves it.
        memory_valid: True for its real tokens, False for its padding.
        tokens: ids of the tokens, which `ValueEmbedding` has values for.
        x0: the embedding that the layers started from, which `FirstMix` mixes in again.
        condition: what a whole sequence is conditioned on, as a time or a class, in one vector.
        streams: that travel side by side in the width between layers, which `Streams` sets.
        cache_size: tokens that the caches hold. Setting it turns cached decoding on: the first
            call makes the caches in the collection `cache`, further calls append to them.
        carry: what earlier layers left for later ones, as the first layer's values; see `Carry`.

    Raises:
        ValueError: a cache that is no whole number of tokens, or none; no stream.
        TypeError: a carry that is not a `Carry`.

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
    x0: Float[Array, "batch seq embed"] | None = None
    condition: Float[Array, "batch condition_embed"] | None = None
    carry: Carry | None = None
    streams: int = flax.struct.field(pytree_node=False, default=1)
    cache_size: int | None = flax.struct.field(pytree_node=False, default=None)

    def __post_init__(self) -> None:
        """Checks what is no array; arrays are checked where their tokens are known."""
        for name, value in vars(self).items():
            object.__setattr__(self, name, of_jax(value))
        size = self.cache_size
        if size is not None and (not isinstance(size, int) or size < 1):
            raise ValueError(f"cache_size={size!r} must be a whole number of tokens, at least 1.")
        if not isinstance(self.streams, int) or self.streams < 1:
            raise ValueError(
                f"streams={self.streams!r} must be a whole number, at least 1; Streams sets it."
            )
        if isinstance(self.carry, Mapping) and not isinstance(self.carry, Carry):
            raise TypeError(f"carry={self.carry!r} must be a Carry; write Carry({self.carry!r}).")


class Coordinates(flax.struct.PyTreeNode):
    """Where the tokens of one side of attention stand; what masks and positions are made from.

    Attributes:
        order: index of each token in the whole sequence, counted over all cached calls.
        positions: place of each token in its own text, in tokens.
        valid: True for tokens that may be seen; None where all are.
        segment_ids: document of each token; None where there is one.
    """

    order: Int[Array, "#batch seq"]
    positions: Int[Array, "#batch seq"]
    valid: Bool[Array, "batch seq"] | None = None
    segment_ids: Int[Array, "batch seq"] | None = None


@typed
def locate(
    context: Context | None,
    batch: int,
    seq: int,
    length: Int[Array, ""] | int = 0,
    num_tokens: Int[Array, "batch"] | int = 0,
) -> Coordinates:
    """Place `seq` new tokens after `length` earlier ones, of which `num_tokens` are real.

    Raises:
        TypeError: an array in `context` that does not have the shape of the tokens.
    """
    context = Context() if context is None else context
    tokens = jax.ShapeDtypeStruct((batch, seq), jnp.int32)
    _context(tokens, context.valid, context.segment_ids, context.positions)
    order = jnp.arange(seq, dtype=jnp.int32)[None]
    counted = order
    if context.valid is not None:
        counted = jnp.maximum(jnp.cumsum(context.valid, axis=-1, dtype=jnp.int32) - 1, 0)
    positions = context.positions
    if positions is None:
        positions = counted + jnp.reshape(num_tokens, (-1, 1))
    return Coordinates(order + length, positions, context.valid, context.segment_ids)


@typed
def _context(
    tokens: Int[jax.ShapeDtypeStruct, "batch seq"],
    valid: Bool[Array, "batch seq"] | None,
    segment_ids: Int[Array, "batch seq"] | None,
    positions: Int[Array, "#batch seq"] | None,
) -> None:
    """Checks the arrays of a context against the shape of the tokens they come with."""
