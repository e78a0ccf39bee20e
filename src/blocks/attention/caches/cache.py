"""`Cache`, the base of caches: which keys and values attention keeps for later calls."""

from typing import Any

import jax.numpy as jnp

from blocks.attention.caches.state import CacheState, KeyValueState
from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.core.typing import Array, Dtype
from blocks.core.values import Value


class Cache(Value):
    """Base class for caches: a rule for which keys and values attention keeps for later calls.

    The cache is a value in the slot `cache` of attention and its sizes are fields; the arrays are
    in a `CacheState`, which goes from call to call. A custom cache defines how many `slots` it
    needs and how new tokens `extend` the state; one that keeps anything but keys and values in
    slots also defines how to `start`.

    Before a custom cache is used with a mask, attention tests both on a few tokens, and refuses a
    cache that has dropped a key which the mask makes visible.
    """

    @property
    def exact(self) -> bool:
        """Whether every visible key must be kept; False for a cache that drops some on purpose."""
        return True

    def check_mask(self, mask: Mask | None) -> None:
        """Raise `ValueError` for a mask that makes keys visible which the cache does not keep."""

    @staticmethod
    def instead_of(value: Any) -> str | None:
        """Return the fix to show where a field for a cache holds `value` instead."""
        on = "a call turns caches on, Context(cache_size=...); the field says what they keep"
        return on if isinstance(value, int) else None

    def slots(self, size: int, lookback: int | None) -> int:
        """Number of slots for a call with `cache_size=size` and a mask of that `lookback`."""
        return size

    def start(
        self,
        batch: int,
        size: int,
        kv_heads: int,
        head_dim: int,
        value_dim: int,
        dtype: Dtype,
        lookback: int | None = None,
    ) -> Any:
        """The state before any token: `slots` free slots of zeros.

        Args:
            batch: rows.
            size: the call's `cache_size`.
            kv_heads: number of key and value heads.
            head_dim: features of a key.
            value_dim: features of a value.
            dtype: dtype of keys and values.
            lookback: the mask's lookback: how many tokens back a query can see at most, or None.
        """
        shape = (batch, self.slots(size, lookback), kv_heads)
        keys, values = (jnp.zeros((*shape, dim), dtype) for dim in (head_dim, value_dim))
        return KeyValueState.free(keys, values)

    def extend(
        self, state: Any, key: Array, value: Array, at: Coordinates
    ) -> tuple[CacheState, Array, Array, Coordinates]:
        """Append new tokens; return the new state, and the keys that their queries attend to.

        Args:
            state: state after the calls before.
            key: keys of the new tokens, batch x seq x kv_heads x head_dim.
            value: values of the new tokens, batch x seq x kv_heads x value_dim.
            at: coordinates of the new tokens.

        Returns:
            The new state, of the same shapes; and the keys and values to attend to, the new ones
            among them, with their coordinates. Tokens that are not `valid` are hidden.
        """
        raise TypeError(f"{type(self).__name__} keeps nothing: give it a method `extend`.")
