"""Caches for windows: the newest tokens alone, each new one in the slot of the oldest."""

from typing import Any, NamedTuple, Self

import flax.struct
import jax
import jax.numpy as jnp

from blocks.attention.caches.contiguous import KeyValueCache, Places
from blocks.attention.caches.int8 import Int8Cache
from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.core.checks import check_values
from blocks.core.typing import Array, Bool, Dtype, Int

FIRST, LAST = jnp.iinfo(jnp.int32).min, jnp.iinfo(jnp.int32).max


class RingCache(KeyValueCache):
    r"""Keeps the tokens that a window still reaches, however long the text becomes.

    Real token $n$ of a row goes into slot $n \bmod r$, where $r$ is the mask's lookback and the
    token itself, `SlidingWindow(r)`, or `cache_size` where that is less. It is full only in the
    second case. Padding takes no slot, so that rows of a batch may be padded on any side and end at
    different times.

    What was overwritten must be out of every later query's sight. It is, as long as the positions
    of a row grow from token to token, by one or by more, and the numbers of its documents do not
    fall; both hold where no positions are given. Anything else is refused.

    Attributes:
        keys: as in `KeyValueCache`, but in no order.
        values: likewise.
        order: index of each slot's token among all tokens, padding included.
        newest: position of each row's last real token.
        document: its document.
        lookback: tokens before itself that a query can see.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, MultiHeadAttention, RingCache, SlidingWindow
        >>> window = Causal() & SlidingWindow(4)
        >>> attention = MultiHeadAttention(num_heads=2, mask=window, cache=RingCache)
        >>> x, context = jnp.ones((1, 9, 8)), Context(cache_size=1000)
        >>> cache = attention.init(jax.random.key(0), x, context)["cache"]
        >>> cache["key_value"].keys.shape
        (1, 4, 2, 4)

        ```

    References:
        Jiang et al., Mistral 7B, 2023, arXiv:2310.06825, section 2 (rolling buffer cache).
    """

    order: Int[Array, "batch size"]
    newest: Int[Array, "batch"]
    document: Int[Array, "batch"]
    lookback: int = flax.struct.field(pytree_node=False)

    @classmethod
    def check_mask(cls, mask: Mask | None) -> None:
        """Refuses a mask whose sight has no end.

        Raises:
            ValueError: a mask without `lookback`.
        """
        if mask is None or mask.lookback is None:
            raise ValueError(
                f"cache={cls.__name__} keeps a window of the tokens, but mask={mask} can see all "
                "of them; use mask=Causal() & SlidingWindow(1024), or cache=KeyValueCache."
            )

    @classmethod
    def slots(cls, size: int, lookback: int | None) -> int:
        """As many as a query can see, itself included, but no more than `size`."""
        if lookback is None:
            raise ValueError(
                f"{cls.__name__} needs lookback=..., the tokens before itself that a query can see."
            )
        return min(size, lookback + 1)

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
        return {
            **super()._free(batch, size, kv_heads, head_dim, value_dim, dtype, lookback),
            "order": jnp.zeros((batch, size), jnp.int32),
            "newest": jnp.full((batch,), FIRST, jnp.int32),
            "document": jnp.full((batch,), FIRST, jnp.int32),
            "lookback": lookback,
        }

    def extend(
        self, key: Array, value: Array, at: Coordinates
    ) -> tuple[KeyValueCache, Array, Array, Coordinates]:
        """Appends new tokens; gives the cache, and what their queries attend to.

        Raises:
            ValueError: tokens out of order, or no room where `cache_size` is less than the window.
                Known at once in an eager call and inside `checked`; elsewhere under `jit` the
                values of the row become NaN instead, and stay so.
        """
        new = Places.of(at, len(key))
        room, newest = self._room_in_rows(new) & self._told(at), self._newest(new)
        value = jnp.where((room & newest.in_order)[:, None, None, None], value, jnp.nan)
        packed = self._packed(key, value)
        cache = self._store(new, packed).replace(newest=newest.position, document=newest.document)
        kept, where = vars(cache), cache.places()
        if key.shape[1] > 1:
            # The first of several queries still see what the last of the new tokens overwrite.
            kept = {
                name: jnp.concatenate([getattr(self, name), x.astype(kept[name].dtype)], axis=1)
                for name, x in packed.items()
            }
            where = jax.tree.map(
                lambda old, new: jnp.concatenate([old, new], axis=1), self.places(), new
            )
        keys, values = self._unpacked(kept, key.dtype)
        return cache, keys, values, Coordinates(*where)

    def coordinates(self) -> Coordinates:
        """Where the cached tokens stand; free slots are not valid."""
        return Coordinates(*self.places())

    def places(self) -> Places:
        """The same, with no field that may be missing."""
        return Places(self.order, self.positions, self.valid, self.segment_ids)

    def _room_in_rows(self, at: Places) -> Bool[Array, "batch"]:
        new = at.valid.sum(axis=-1, dtype=jnp.int32)
        room = (self.seen + new <= self.size) | (self.size > self.lookback)
        check_values(
            room.all(),
            "the cache is full: {new} more tokens after {seen} do not fit into {size} slots, and "
            "the window still reaches all; make it larger with Context(cache_size=...), "
            "{enough} is enough for any length.",
            new=new.max(initial=0),
            seen=self.seen.max(initial=0),
            size=self.size,
            enough=self.lookback + 1,
        )
        return room

    def _newest(self, at: Places) -> "Newest":
        """The last real token of each row after these, and whether they came in order."""
        positions = jnp.concatenate([self.newest[:, None], at.positions], axis=1)
        segment_ids = jnp.concatenate([self.document[:, None], at.segment_ids], axis=1)
        # The last real token up to each place; place 0 is the last of the calls before.
        places = jnp.arange(1, positions.shape[1], dtype=jnp.int32)
        last = jax.lax.cummax(jnp.where(at.valid, places, 0), axis=1)
        before = jnp.pad(last, ((0, 0), (1, 0)))

        def at_place(x: Array, place: Array) -> Array:
            return jnp.take_along_axis(x, place, axis=1)

        position, segment = (
            at_place(positions, before[:, :-1]),
            at_place(segment_ids, before[:, :-1]),
        )
        later = (at.segment_ids > segment) | (
            (at.segment_ids == segment) & (at.positions > position)
        )
        in_order = (later | ~at.valid).all(axis=1)
        check_values(
            in_order.all(),
            "a cache of a window overwrites its oldest token, so the tokens of a row must come in "
            "order, and row {row} breaks it; let positions grow and number documents one after "
            "another, or use cache=KeyValueCache.",
            row=jnp.argmin(in_order),
        )
        end = before[:, -1:]
        return Newest(
            in_order,
            # Nothing comes after the last number: the row stays refused.
            jnp.where(in_order, at_place(positions, end)[:, 0], LAST),
            jnp.where(in_order, at_place(segment_ids, end)[:, 0], LAST),
        )

    def _store(self, at: Places, packed: dict[str, Array]) -> Self:
        """Writes the new real tokens over the oldest, and where they stand."""
        new = at.valid.sum(axis=-1, dtype=jnp.int32)[:, None]
        number = jnp.cumsum(at.valid, axis=-1, dtype=jnp.int32) - 1
        kept = at.valid & (number >= new - self.size)
        # A slot that does not exist: what is written there is dropped.
        slots = jnp.where(kept, (self.seen[:, None] + number) % self.size, self.size)
        rows = jnp.arange(len(new))[:, None]

        def write(name: str, new: Array) -> Array:
            old = getattr(self, name)
            return old.at[rows, slots].set(new.astype(old.dtype), mode="drop")

        where = {name: getattr(at, name) for name in ("order", "positions", "valid", "segment_ids")}
        return self.replace(
            **{name: write(name, new) for name, new in {**packed, **where}.items()},
            length=self.length + at.order.shape[1],
            seen=self.seen + new[:, 0],
        )


class Newest(NamedTuple):
    """The last real token of each row, and whether all came in order.

    Attributes:
        in_order: of the row.
        position: of the token.
        document: of the token.
    """

    in_order: Array
    position: Array
    document: Array


class Int8RingCache(RingCache, Int8Cache):
    """A `RingCache` that keeps integers of eight bits, as `Int8Cache` does.

    Example:
        ```python
        >>> from blocks import Causal, Int8RingCache, MultiHeadAttention, SlidingWindow
        >>> window = Causal() & SlidingWindow(1024)
        >>> local = MultiHeadAttention(num_heads=4, mask=window, cache=Int8RingCache)

        ```

    References:
        As `RingCache` and `Int8Cache`.
    """
