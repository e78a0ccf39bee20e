"""The state of blocks that keep a state of fixed size instead of their tokens."""

from typing import Self

import jax.numpy as jnp

from blocks.attention.caches.state import CacheState
from blocks.context import Coordinates
from blocks.core.typing import Array, Dtype, Float, Int


class RecurrentState(CacheState):
    """What a block keeps of all tokens so far; it grows with no token and is never full.

    Attributes:
        state: of each row, in float32 unless the block says otherwise.
        segment_ids: document of the last real tokens of each row, the last one at the end.
    """

    state: Float[Array, "batch *state"]
    segment_ids: Int[Array, "batch kept"]

    @classmethod
    def start(cls, batch: int, *state: int, kept: int = 1, dtype: Dtype = jnp.float32) -> Self:
        """Makes the state of no tokens; `kept` is how many of the last tokens it tells apart."""
        return cls.empty(
            batch,
            state=jnp.zeros((batch, *state), dtype),
            segment_ids=jnp.zeros((batch, kept), jnp.int32),
        )

    def after(self, at: Coordinates, state: Array, segment_ids: Array) -> Self:
        """The state after new tokens, which left these arrays."""
        state = state.astype(self.state.dtype)
        return self.counted(at).replace(state=state, segment_ids=segment_ids)
