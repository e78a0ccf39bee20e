"""`KeyValueCache`: keys and values of all tokens so far, so that decoding computes new ones."""

from typing import Any

import jax
import jax.numpy as jnp

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.state import KeyValueState, Places
from blocks.context import Coordinates
from blocks.core.checks import check_values
from blocks.core.typing import Array, Bool, Dtype, Float, typed


class KeyValueCache(Cache):
    """Cache of the keys and values of all tokens, with room for `cache_size` of them.

    A subclass may store them in another form by overriding `pack` and `unpack`.

    Raises:
        ValueError: more tokens than slots, or no room left for them. The second is known at once in
            an eager call and inside `checked`; elsewhere under `jit` nothing can be raised, and the
            values become NaN instead.

    Example:
        ```python
        >>> from blocks import Causal, Int8Cache, MultiHeadAttention
        >>> MultiHeadAttention(num_heads=4, mask=Causal()).cache
        KeyValueCache()

        ```
    """

    def pack(self, x: Array) -> Any:
        """Convert keys or values to their stored form: arrays that start with batch and tokens."""
        return x

    def unpack(self, kept: Any, dtype: Dtype) -> Array:
        """Convert the stored form back to keys or values."""
        return kept

    def start(
        self,
        batch: int,
        size: int,
        kv_heads: int,
        head_dim: int,
        value_dim: int,
        dtype: Dtype,
        lookback: int | None = None,
    ) -> KeyValueState:
        """The state before any token: `slots` free slots."""
        shape = (batch, self.slots(size, lookback), kv_heads)
        keys, values = (jnp.zeros((*shape, dim), dtype) for dim in (head_dim, value_dim))
        return KeyValueState.free(self.pack(keys), self.pack(values))

    @typed
    def extend(
        self,
        state: Any,
        key: Float[Array, "batch seq kv_heads head_dim"],
        value: Float[Array, "batch seq kv_heads value_dim"],
        at: Coordinates,
    ) -> tuple[
        KeyValueState,
        Float[Array, "batch slots kv_heads head_dim"],
        Float[Array, "batch slots kv_heads value_dim"],
        Coordinates,
    ]:
        """Write new tokens into the next free slots; in place where the state is donated."""
        value = jnp.where(self._room(state, key.shape[1]), value, jnp.nan)
        new = (self.pack(key), self.pack(value), Places.of(at, len(key)))

        def write(slots: Array, x: Array) -> Array:
            x = x.astype(slots.dtype)
            return jax.lax.dynamic_update_slice_in_dim(slots, x, state.length, axis=1)

        # XLA would write once for attention and once for the next call, and copy all slots before.
        written = jax.lax.optimization_barrier(jax.tree.map(write, state.tokens, new))
        state = state.counted(at).holding(written)
        keys, values = (self.unpack(kept, key.dtype) for kept in (state.keys, state.values))
        return state, keys, values, state.at

    def _room(self, state: KeyValueState, seq: int) -> Bool[Array, ""]:
        if seq > state.slots:
            raise ValueError(
                f"seq={seq} tokens do not fit into a cache of {state.slots} slots; "
                "make it larger with Context(cache_size=...)."
            )
        room = state.length + seq <= state.slots
        check_values(
            room,
            "the cache is full: {seq} more tokens after {length} do not fit into {size} slots; "
            "make it larger with Context(cache_size=...).",
            seq=seq,
            length=state.length,
            size=state.slots,
        )
        return room
