"""What a cache is: a rule for what attention keeps of the tokens so far."""

from typing import Any

import jax.numpy as jnp

from blocks.attention.caches.state import CacheState, KeyValueState
from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.core.typing import Array, Dtype
from blocks.core.values import Value


class Cache(Value):
    """A rule for which keys and values attention keeps for later calls.

    The cache is a value in the slot `cache` of attention and its sizes are fields; the arrays are
    in a `CacheState`, which goes from call to call. A cache of one's own says how many `slots` it
    needs and how new tokens `extend` what is kept; one that keeps something else than keys and
    values in slots also says how to `start`.

    Before a cache is used with a mask, attention tries both on a few tokens, and refuses a cache
    that has lost what the mask lets a query see.
    """

    @property
    def exact(self) -> bool:
        """Whether every key that a query may see must be there; False for a lossy choice."""
        return True

    def check_mask(self, mask: Mask | None) -> None:
        """Raise `ValueError` for a mask that sees what the cache does not keep."""

    @staticmethod
    def instead_of(value: Any) -> str | None:
        """The fix for what was given in the place of a cache; errors of fields show it."""
        if isinstance(value, int):
            return "a call turns caches on, Context(cache_size=...); the field says what they keep"
        if isinstance(value, CacheState):
            return "write the cache that made it, as KeyValueCache(); its state stays in variables"
        return None

    def slots(self, size: int, lookback: int | None) -> int:
        """Slots for a call with `cache_size=size` and a mask of that `lookback`."""
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
            kv_heads: heads of keys and values.
            head_dim: features of a key.
            value_dim: features of a value.
            dtype: of keys and values.
            lookback: of the mask: how many tokens back a query can see at most, or None.
        """
        shape = (batch, self.slots(size, lookback), kv_heads)
        keys, values = (jnp.zeros((*shape, dim), dtype) for dim in (head_dim, value_dim))
        return KeyValueState.free(keys, values)

    def extend(
        self, state: Any, key: Array, value: Array, at: Coordinates
    ) -> tuple[CacheState, Array, Array, Coordinates]:
        """Keep new tokens; give the new state, and what their queries attend to.

        Args:
            state: what is kept of the calls before.
            key: of the new tokens, batch x seq x kv_heads x head_dim.
            value: likewise.
            at: where the new tokens stand.

        Returns:
            The new state, of the same shapes; and keys, values and where their tokens stand, the
            new ones among them, of which those not `valid` are not seen.
        """
        raise TypeError(f"{type(self).__name__} keeps nothing: give it a method `extend`.")
