"""What cross-attention keeps: the other sequence, which does not grow."""

from blocks.attention.caches.state import CacheState
from blocks.core.typing import Array, Bool, Float


class MemoryState(CacheState):
    """Keys and values of the memory, projected once; it counts the tokens that have read it.

    Attributes:
        keys: one per token of the memory.
        values: likewise.
        valid: True for real tokens; None where all are.
    """

    keys: Float[Array, "batch memory_seq kv_heads head_dim"]
    values: Float[Array, "batch memory_seq kv_heads value_dim"]
    valid: Bool[Array, "batch memory_seq"] | None
