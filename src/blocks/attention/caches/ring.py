"""Ring caches for sliding windows: each new token overwrites the oldest."""

from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp

from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.int8 import Int8Cache
from blocks.attention.caches.state import KeyValueState, Places
from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.core.checks import check_values, first_false
from blocks.core.typing import Array, Bool, Dtype, Float, Int, typed

FIRST, LAST = jnp.iinfo(jnp.int32).min, jnp.iinfo(jnp.int32).max


class RingState(KeyValueState):
    """Keys and values in the slots of a ring, in no particular order.

    Attributes:
        newest: position of each row's last real token.
        newest_document: document of that token.
        lookback: number of tokens before itself that a query can see.
    """

    newest: Int[Array, "batch"]
    newest_document: Int[Array, "batch"]
    lookback: int = flax.struct.field(pytree_node=False)


class RingCache(KeyValueCache):
    r"""Cache of the tokens within a sliding window, of constant size however long the text becomes.

    Real token $n$ of a row goes into slot $n \bmod r$, where $r$ is the mask's lookback and the
    token itself, `SlidingWindow(r)`, or `cache_size` where that is less. It is full only in the
    second case. Padding takes no slot, so that rows of a batch may be padded on any side and end at
    different times.

    An overwritten token must be hidden from every later query. It is if the positions of a row
    increase from token to token and its document numbers do not decrease; both hold where no
    positions are given. Anything else is refused.

    Raises:
        ValueError: a mask without `lookback`; tokens out of order, or no room where `cache_size`
            is less than the window. The last two are known at once in an eager call and inside
            `checked`; elsewhere under `jit` the values of the row become NaN instead, and stay so.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, MultiHeadAttention, RingCache, SlidingWindow
        >>> window = Causal() & SlidingWindow(4)
        >>> attention = MultiHeadAttention(num_heads=2, mask=window, cache=RingCache())
        >>> x, context = jnp.ones((1, 9, 8)), Context(cache_size=1000)
        >>> cache = jax.jit(attention.init)(jax.random.key(0), x, context)["cache"]
        >>> cache["key_value"].keys.shape
        (1, 4, 2, 4)

        ```

    References:
        Jiang et al., Mistral 7B, 2023, arXiv:2310.06825, section 2 (rolling buffer cache).
    """

    def check_mask(self, mask: Mask | None) -> None:
        """Refuse a mask without a finite lookback."""
        if mask is None or mask.lookback is None:
            raise ValueError(
                f"cache={self} keeps a window of the tokens, but mask={mask} can see all "
                "of them; use mask=Causal() & SlidingWindow(1024), or cache=KeyValueCache()."
            )

    def slots(self, size: int, lookback: int | None) -> int:
        """Number of tokens that a query can see, itself included, but no more than `size`."""
        if lookback is None:
            raise ValueError(
                f"{self} needs lookback=..., the tokens before itself that a query can see."
            )
        return min(size, lookback + 1)

    def start(
        self,
        batch: int,
        size: int,
        kv_heads: int,
        head_dim: int,
        value_dim: int,
        dtype: Dtype,
        lookback: int | None = None,
    ) -> RingState:
        """The state before any token."""
        plain = super().start(batch, size, kv_heads, head_dim, value_dim, dtype, lookback)
        first = jnp.full(batch, FIRST, jnp.int32)
        more = {"newest": first, "newest_document": first, "lookback": lookback}
        return RingState(**vars(plain), **more)

    @typed
    def extend(
        self,
        state: Any,
        key: Float[Array, "batch seq kv_heads head_dim"],
        value: Float[Array, "batch seq kv_heads value_dim"],
        at: Coordinates,
    ) -> tuple[
        RingState,
        Float[Array, "batch slots kv_heads head_dim"],
        Float[Array, "batch slots kv_heads value_dim"],
        Coordinates,
    ]:
        """Write new tokens over the oldest."""
        where = Places.of(at, len(key))
        room, newest = _room(state, where), _newest(state, where)
        value = jnp.where((room & newest.in_order)[:, None, None, None], value, jnp.nan)
        new = (self.pack(key), self.pack(value), where)
        after = state.counted(at).holding(_written(state, new))
        after = after.replace(newest=newest.position, newest_document=newest.document)
        # The first of several queries still attend to tokens that the last new ones overwrite.
        visible = after if key.shape[1] == 1 else state.join(*new)
        keys, values = (self.unpack(kept, key.dtype) for kept in (visible.keys, visible.values))
        return after, keys, values, visible.at


def _room(state: RingState, at: Places) -> Bool[Array, "batch"]:
    new = at.valid.sum(axis=-1, dtype=jnp.int32)
    room = (state.num_tokens + new <= state.slots) | (state.slots > state.lookback)
    check_values(
        room.all(),
        "the cache is full: {new} more tokens after {before} do not fit into {size} slots, and "
        "the window still reaches all; make it larger with Context(cache_size=...), "
        "{enough} is enough for any length.",
        new=new.max(initial=0),
        before=state.num_tokens.max(initial=0),
        size=state.slots,
        enough=state.lookback + 1,
    )
    return room


class Newest(NamedTuple):
    """The last real token of each row, and whether all tokens came in order.

    Attributes:
        in_order: True where all tokens of the row came in order.
        position: position of the last real token.
        document: document of the last real token.
    """

    in_order: Array
    position: Array
    document: Array


def _newest(state: RingState, at: Places) -> Newest:
    """The last real token of each row after the new ones, and whether these came in order."""
    positions = jnp.concatenate([state.newest[:, None], at.positions], axis=1)
    segment_ids = jnp.concatenate([state.newest_document[:, None], at.segment_ids], axis=1)
    # The last real token up to each index; index 0 is the last one of earlier calls.
    places = jnp.arange(1, positions.shape[1], dtype=jnp.int32)
    last = jax.lax.cummax(jnp.where(at.valid, places, 0), axis=1)
    before = jnp.pad(last, ((0, 0), (1, 0)))

    def at_place(x: Array, place: Array) -> Array:
        return jnp.take_along_axis(x, place, axis=1)

    position, segment = (
        at_place(positions, before[:, :-1]),
        at_place(segment_ids, before[:, :-1]),
    )
    later = (at.segment_ids > segment) | ((at.segment_ids == segment) & (at.positions > position))
    in_order = (later | ~at.valid).all(axis=1)
    check_values(
        in_order.all(),
        "a cache of a window overwrites its oldest token, so the tokens of a row must come in "
        "order, and row {row} breaks it; let positions grow and number documents one after "
        "another, or use cache=KeyValueCache().",
        row=first_false(in_order),
    )
    end = before[:, -1:]
    return Newest(
        in_order,
        # Nothing comes after the last number: the row stays refused.
        jnp.where(in_order, at_place(positions, end)[:, 0], LAST),
        jnp.where(in_order, at_place(segment_ids, end)[:, 0], LAST),
    )


def _written(state: RingState, new: tuple) -> tuple:
    """The tokens of all slots, with the new real ones written over the oldest."""
    at: Places = new[2]
    number = jnp.cumsum(at.valid, axis=-1, dtype=jnp.int32) - 1
    kept = at.valid & (number >= number[:, -1:] + 1 - state.slots)
    # An index out of range: writes to it are dropped.
    slots = jnp.where(kept, (state.num_tokens[:, None] + number) % state.slots, state.slots)
    rows = jnp.arange(len(slots))[:, None]

    def write(old: Array, x: Array) -> Array:
        return old.at[rows, slots].set(x.astype(old.dtype), mode="drop")

    return jax.tree.map(write, state.tokens, new)


class Int8RingCache(RingCache, Int8Cache):
    """A `RingCache` quantised to eight bits, as in `Int8Cache`.

    Example:
        ```python
        >>> from blocks import Causal, MultiHeadAttention, SlidingWindow
        >>> from blocks.attention.caches import Int8RingCache
        >>> window = Causal() & SlidingWindow(1024)
        >>> local = MultiHeadAttention(num_heads=4, mask=window, cache=Int8RingCache())

        ```

    References:
        As `RingCache` and `Int8Cache`.
    """
