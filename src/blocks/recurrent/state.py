"""The state of blocks that keep a state of fixed size instead of their tokens."""

from typing import Self

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.state import CacheState
from blocks.context import Context, Coordinates, locate
from blocks.core.typing import Array, Float, Int


class RecurrentState(CacheState):
    """What a block keeps of all tokens so far; it grows with no token and is never full.

    Attributes:
        state: of each row; None before the first token.
        segment_ids: document of the last real tokens of each row, the last one at the end.
    """

    state: Float[Array, "batch *state"] | None
    segment_ids: Int[Array, "batch kept"]

    @classmethod
    def start(cls, batch: int, kept: int = 1) -> Self:
        """The state of no tokens; `kept` is how many of the last tokens it tells apart."""
        return cls.empty(batch, state=None, segment_ids=jnp.zeros((batch, kept), jnp.int32))

    def after(self, at: Coordinates, state: Array | None, segment_ids: Array) -> Self:
        """The state after new tokens, which left these arrays."""
        if state is not None and self.state is not None:
            state = state.astype(self.state.dtype)
        return self.counted(at).replace(state=state, segment_ids=segment_ids)


def recall(
    block: nn.Module, name: str, context: Context | None, batch: int, seq: int, kept: int = 1
) -> tuple[RecurrentState, Coordinates]:
    """What a block keeps of earlier calls under a name, and where `seq` new tokens stand."""
    start = RecurrentState.start(batch, kept)
    if context is None or context.cache_size is None:
        return start, locate(context, batch, seq)
    state = block.get_variable("cache", name, start)
    return state, state.locate(context, seq)


def remember(block: nn.Module, name: str, context: Context | None, state: RecurrentState) -> None:
    """Keep a block's state for later calls, where the context asks for it."""
    if context is not None and context.cache_size is not None:
        block.put_variable("cache", name, state)
