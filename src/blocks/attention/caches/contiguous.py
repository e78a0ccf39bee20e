"""The cache of keys and values that makes decoding one token as cheap as one token."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp

from blocks.attention.caches.base import Cache
from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.core.checks import check_values
from blocks.core.typing import Array, Bool, Dtype, Float, Int, typed


class Places(NamedTuple):
    """Coordinates with every field given for every row, as caches keep them.

    Attributes:
        order: as in `Coordinates`.
        positions: likewise.
        valid: likewise.
        segment_ids: likewise.
    """

    order: Int[Array, "batch seq"]
    positions: Int[Array, "batch seq"]
    valid: Bool[Array, "batch seq"]
    segment_ids: Int[Array, "batch seq"]

    @classmethod
    def of(cls, at: Coordinates, batch: int) -> Self:
        """What `at` says, and what it means by saying nothing."""
        shape = (batch, at.order.shape[1])
        return cls(
            order=jnp.broadcast_to(at.order, shape),
            positions=jnp.broadcast_to(at.positions, shape),
            valid=jnp.ones(shape, bool) if at.valid is None else at.valid,
            segment_ids=jnp.zeros(shape, jnp.int32) if at.segment_ids is None else at.segment_ids,
        )


class KeyValueCache(Cache):
    """Keys and values of the tokens so far, in slots of a fixed number, `length` of them in use.

    Attributes:
        keys: one slot per token, in order.
        values: likewise.
        positions: place of each token in its text.
        valid: True where a slot holds a real token.
        segment_ids: document of each token.
    """

    keys: Float[Array, "batch size kv_heads head_dim"]
    values: Float[Array, "batch size kv_heads value_dim"]
    positions: Int[Array, "batch size"]
    valid: Bool[Array, "batch size"]
    segment_ids: Int[Array, "batch size"]

    @property
    def size(self) -> int:
        """Slots that there are."""
        return self.keys.shape[1]

    @classmethod
    def check_mask(cls, mask: Mask | None) -> None:
        """Raises `ValueError` for a mask that sees what is not kept; here all is."""

    @classmethod
    def slots(cls, size: int, lookback: int | None) -> int:
        """Slots for a call with `cache_size=size` and a mask of that `lookback`."""
        return size

    @classmethod
    def empty(
        cls,
        batch: int,
        size: int,
        kv_heads: int,
        head_dim: int,
        value_dim: int,
        dtype: Dtype,
        *,
        lookback: int | None = None,
    ) -> Self:
        """Makes a cache with all slots free; `dtype` is that of what is kept.

        `lookback` is the mask's: how many tokens back a query can see at most, or None.
        """
        size = cls.slots(size, lookback)
        return cls(**cls._free(batch, size, kv_heads, head_dim, value_dim, dtype, lookback))

    @classmethod
    def _free(
        cls,
        batch: int,
        size: int,
        kv_heads: int,
        head_dim: int,
        value_dim: int,
        dtype: Dtype,
        lookback: int | None,
    ) -> dict[str, Any]:
        """The fields of a cache with all slots free."""
        return {
            "keys": jnp.zeros((batch, size, kv_heads, head_dim), dtype),
            "values": jnp.zeros((batch, size, kv_heads, value_dim), dtype),
            "positions": jnp.zeros((batch, size), jnp.int32),
            "valid": jnp.zeros((batch, size), bool),
            "segment_ids": jnp.zeros((batch, size), jnp.int32),
            "length": jnp.zeros((), jnp.int32),
            "seen": jnp.zeros((batch,), jnp.int32),
        }

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
                raised, and the values become NaN instead. So too for tokens of no document, where
                those before them were told apart.
        """
        return self.extend(key, value, at)[0]

    def extend(
        self, key: Array, value: Array, at: Coordinates
    ) -> tuple["KeyValueCache", Array, Array, Coordinates]:
        """Appends new tokens; gives the cache, and what their queries attend to."""
        fits = self._room(key.shape[1]) & self._told(at)
        packed = self._packed(key, jnp.where(fits[:, None, None, None], value, jnp.nan))
        cache = self._store(Places.of(at, len(key)), packed)
        keys, values = self._unpacked(vars(cache), key.dtype)
        return cache, keys, values, cache.coordinates()

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

    def _told(self, at: Coordinates) -> Bool[Array, "batch"]:
        """Whether the documents of each row are known, if there are several."""
        if at.segment_ids is not None:
            return jnp.ones(len(self.keys), bool)
        told = ~(self.valid & (self.segment_ids != 0)).any(axis=1)
        check_values(
            told.all(),
            "the cache holds tokens of documents, in row {row}, and these come without; give "
            "Context(segment_ids=...) in every call, the last document's number to go on with it.",
            row=jnp.argmin(told),
        )
        return told

    def _packed(self, key: Array, value: Array) -> dict[str, Array]:
        """Keys and values in the form in which they are kept, by field."""
        return {"keys": key, "values": value}

    def _unpacked(self, kept: Mapping[str, Any], dtype: Dtype) -> tuple[Array, Array]:
        """What is kept, as keys and values."""
        return kept["keys"], kept["values"]

    def _store(self, at: Places, packed: dict[str, Array]) -> Self:
        """Writes new tokens into the next slots, and where they stand."""

        def write(name: str, new: Array) -> Array:
            slots = getattr(self, name)
            return jax.lax.dynamic_update_slice_in_dim(
                slots, new.astype(slots.dtype), self.length, axis=1
            )

        where = {"positions": at.positions, "valid": at.valid, "segment_ids": at.segment_ids}
        return self.replace(
            **{name: write(name, new) for name, new in {**packed, **where}.items()},
            length=self.length + at.order.shape[1],
            seen=self.seen + at.valid.sum(axis=-1, dtype=jnp.int32),
        )

    def coordinates(self) -> Coordinates:
        """Where the cached tokens stand; free slots are not valid."""
        order = jnp.arange(self.size, dtype=jnp.int32)[None]
        return Coordinates(order, self.positions, self.valid, self.segment_ids)
