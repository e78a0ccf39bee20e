"""The cache of keys and values that makes decoding one token as cheap as one token."""

from typing import Self

import jax
import jax.numpy as jnp

from blocks.attention.caches.base import Cache
from blocks.checks import check_values
from blocks.context import Coordinates
from blocks.typing import Array, Bool, Dtype, Float, Int, typed


class KeyValueCache(Cache):
    """Keys and values of the tokens so far, in slots of a fixed number, `length` of them in use.

    Attributes:
        keys: one slot per token, in order.
        values: likewise.
        positions: place of each token in its text.
        valid: True where a slot holds a real token.
        segments: document of each token.
    """

    keys: Float[Array, "batch size kv_heads head_dim"]
    values: Float[Array, "batch size kv_heads value_dim"]
    positions: Int[Array, "batch size"]
    valid: Bool[Array, "batch size"]
    segments: Int[Array, "batch size"]

    @property
    def size(self) -> int:
        """Slots that there are."""
        return self.keys.shape[1]

    @classmethod
    def empty(
        cls, batch: int, size: int, kv_heads: int, head_dim: int, value_dim: int, dtype: Dtype
    ) -> Self:
        """Makes a cache with all slots free."""
        return cls(
            keys=jnp.zeros((batch, size, kv_heads, head_dim), dtype),
            values=jnp.zeros((batch, size, kv_heads, value_dim), dtype),
            positions=jnp.zeros((batch, size), jnp.int32),
            valid=jnp.zeros((batch, size), bool),
            segments=jnp.zeros((batch, size), jnp.int32),
            length=jnp.zeros((), jnp.int32),
            seen=jnp.zeros((batch,), jnp.int32),
        )

    @typed
    def append(
        self,
        key: Float[Array, "batch seq kv_heads head_dim"],
        value: Float[Array, "batch seq kv_heads value_dim"],
        at: Coordinates,
    ) -> "KeyValueCache":
        """Writes new tokens into the next free slots; in place where the cache is donated.

        Raises:
            ValueError: more tokens than slots, or no room left for them. The second is known at
                once in an eager call and inside `checked`; elsewhere under `jit` nothing can be
                raised, and the values become NaN instead.
        """
        room = self._room(key.shape[1])
        return self._store(at, keys=key, values=jnp.where(room, value, jnp.nan))

    def extend(
        self, key: Array, value: Array, at: Coordinates
    ) -> tuple["KeyValueCache", Array, Array, Coordinates]:
        """Appends new tokens; gives the cache, and what their queries attend to."""
        cache = self.append(key, value, at)
        return cache, cache.keys, cache.values, cache.coordinates()

    def _room(self, seq: int) -> Bool[Array, ""]:
        if seq > self.size:
            raise ValueError(
                f"seq={seq} tokens do not fit into a cache of {self.size} slots; "
                "make it larger with Context(cache_size=...)."
            )
        room = self.length + seq <= self.size
        check_values(
            room,
            "the cache is full: {seq} more tokens after {length} do not fit into {size} slots; "
            "make it larger with Context(cache_size=...).",
            seq=seq,
            length=self.length,
            size=self.size,
        )
        return room

    def _store(self, at: Coordinates, **arrays: Array) -> Self:
        """Writes arrays of new tokens into the next slots, and where these tokens stand."""
        batch, seq = arrays["keys"].shape[:2]
        valid = jnp.ones((batch, seq), bool) if at.valid is None else at.valid
        segments = jnp.zeros((batch, seq), jnp.int32) if at.segments is None else at.segments

        def write(name: str, new: Array) -> Array:
            slots = getattr(self, name)
            new = jnp.broadcast_to(new, (batch, *new.shape[1:])).astype(slots.dtype)
            return jax.lax.dynamic_update_slice_in_dim(slots, new, self.length, axis=1)

        arrays = {**arrays, "positions": at.positions, "valid": valid, "segments": segments}
        return self.replace(
            **{name: write(name, new) for name, new in arrays.items()},
            length=self.length + seq,
            seen=self.seen + valid.sum(axis=-1, dtype=jnp.int32),
        )

    def coordinates(self) -> Coordinates:
        """Where the cached tokens stand; free slots are not valid."""
        order = jnp.arange(self.size, dtype=jnp.int32)[None]
        return Coordinates(order, self.positions, self.valid, self.segments)
