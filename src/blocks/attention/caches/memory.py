"""The cache state of cross-attention: keys and values of the memory, which does not grow."""

from blocks.attention.caches.state import CacheState
from blocks.context import Context, Coordinates, locate
from blocks.core.typing import Array, Bool, Float, Int


class MemoryState(CacheState):
    """Keys and values of the memory, projected once; it counts the tokens that have read it.

    Attributes:
        keys: keys of the tokens of the memory.
        values: values of these tokens.
        valid: True for real tokens; None where all are.
        segment_ids: document of each; None where there is one.
    """

    keys: Float[Array, "batch memory_seq kv_heads head_dim"]
    values: Float[Array, "batch memory_seq kv_heads value_dim"]
    valid: Bool[Array, "batch memory_seq"] | None
    segment_ids: Int[Array, "batch memory_seq"] | None

    def located(self) -> Coordinates:
        """Coordinates of the tokens of the memory, with positions restarted in each document."""
        context = Context(valid=self.valid, segment_ids=self.segment_ids)
        return locate(context, *self.keys.shape[:2])
