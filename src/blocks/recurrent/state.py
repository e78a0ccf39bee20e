"""`RecurrentState`: a cache state of fixed size."""

from typing import Self

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.state import CacheState
from blocks.context import Context, Coordinates, locate
from blocks.core.typing import Array, Float, Int


class RecurrentState(CacheState):
    """Cache state of fixed size, which summarises all tokens so far and is never full.

    Attributes:
        state: state of each row; None before the first token.
        segment_ids: documents of the last real tokens of each row, in order.
    """

    state: Float[Array, "batch *state"] | None
    segment_ids: Int[Array, "batch kept"]

    @classmethod
    def start(cls, batch: int, kept: int = 1) -> Self:
        """The state before any token; `kept` is the number of tokens whose document is stored."""
        return cls.empty(batch, state=None, segment_ids=jnp.zeros((batch, kept), jnp.int32))

    def after(self, at: Coordinates, state: Array | None, segment_ids: Array) -> Self:
        """Return the state after new tokens."""
        if state is not None and self.state is not None:
            state = state.astype(self.state.dtype)
        return self.counted(at).replace(state=state, segment_ids=segment_ids)


def recall(
    block: nn.Module, name: str, context: Context | None, batch: int, seq: int, kept: int = 1
) -> tuple[RecurrentState, Coordinates]:
    """Return a block's state of earlier calls, and the coordinates of `seq` new tokens."""
    start = RecurrentState.start(batch, kept)
    if context is None or context.cache_size is None:
        return start, locate(context, batch, seq)
    state = block.get_variable("cache", name, start)
    return state, state.locate(context, seq)


def remember(block: nn.Module, name: str, context: Context | None, state: RecurrentState) -> None:
    """Store a block's state for later calls, if the context has a cache."""
    if context is not None and context.cache_size is not None:
        block.put_variable("cache", name, state)
