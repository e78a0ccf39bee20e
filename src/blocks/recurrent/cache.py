"""The cache of blocks that keep a state of fixed size instead of their tokens."""

from typing import Self

import jax.numpy as jnp

from blocks.attention.caches.base import Cache
from blocks.context import Coordinates
from blocks.core.typing import Array, Dtype, Float, Int


class RecurrentCache(Cache):
    """What a block keeps of all tokens so far; it grows with no token and is never full.

    Attributes:
        state: of each row, in float32 unless the block says otherwise.
        segment_ids: document of the last real tokens of each row, the last one at the end.
    """

    state: Float[Array, "batch *state"]
    segment_ids: Int[Array, "batch kept"]

    @classmethod
    def empty(cls, batch: int, *state: int, kept: int = 1, dtype: Dtype = jnp.float32) -> Self:
        """Makes the state of no tokens; `kept` is how many of the last tokens it tells apart."""
        return cls(
            state=jnp.zeros((batch, *state), dtype),
            segment_ids=jnp.zeros((batch, kept), jnp.int32),
            length=jnp.zeros((), jnp.int32),
            seen=jnp.zeros((batch,), jnp.int32),
        )

    def after(self, at: Coordinates, state: Array, segment_ids: Array) -> Self:
        """The cache after new tokens, which left this state."""
        seq = at.order.shape[1]
        new = seq if at.valid is None else at.valid.sum(axis=-1, dtype=jnp.int32)
        return self.replace(
            state=state.astype(self.state.dtype),
            segment_ids=segment_ids,
            length=self.length + seq,
            seen=self.seen + new,
        )
