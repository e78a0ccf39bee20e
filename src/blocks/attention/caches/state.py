"""States of caches: counts of tokens, and arrays whose first axis is the batch."""

from typing import Any, Self

import flax.struct
import jax
import jax.numpy as jnp

from blocks.context import Context, Coordinates, locate
from blocks.core.typing import Array, Bool, Int
from blocks.counting import count


class CacheState(flax.struct.PyTreeNode):
    """Base class for the state that a block keeps between calls, in Linen's collection `cache`.

    A subclass adds fields: arrays, or trees of them, whose first axis is the batch. Functions on
    all caches, such as `select_rows`, then apply to it.

    Attributes:
        length: number of tokens so far, padding included; the same for all rows.
        num_tokens: number of real tokens of each row so far.
        document: document of the last real token, 0 where none was given.
        in_document: number of real tokens of that document.
    """

    length: Int[Array, ""]
    num_tokens: Int[Array, "batch"]
    document: Int[Array, "batch"]
    in_document: Int[Array, "batch"]

    @classmethod
    def empty(cls, batch: int, **fields: Any) -> Self:
        """The state before any token, with the `fields` of a subclass."""
        none = jnp.zeros(batch, jnp.int32)
        counts = {"num_tokens": none, "document": none, "in_document": none}
        return cls(length=jnp.zeros((), jnp.int32), **counts, **fields)

    def locate(self, context: Context | None, seq: int) -> Coordinates:
        """Coordinates of `seq` new tokens, which follow those so far."""
        context = Context() if context is None else context
        if context.positions is None:
            context.check(len(self.num_tokens), seq)
            context = context.replace(
                positions=self._count(seq, context.valid, context.segment_ids)
            )
        return locate(context, len(self.num_tokens), seq, self.length)

    def counted(self, at: Coordinates) -> Self:
        """Return the state with the new tokens counted."""
        seq = at.order.shape[1]
        new = seq if at.valid is None else at.valid.sum(axis=-1, dtype=jnp.int32)
        after = self.replace(length=self.length + seq, num_tokens=self.num_tokens + new)
        if at.segment_ids is None:
            return after.replace(in_document=self.in_document + new)
        numbers = self._count(seq, at.valid, at.segment_ids) + 1
        return after.replace(
            document=_last(self.document, at.segment_ids, at.valid),
            in_document=_last(self.in_document, numbers, at.valid),
        )

    def _count(self, seq: int, valid: Array | None, segment_ids: Array | None) -> Array:
        return count(seq, valid, segment_ids, self.document, self.in_document)

    def select(self, rows: Int[Array, "rows"]) -> Self:
        """Select rows of the state, in a new order."""
        if self.length.ndim:  # a scan stacks the states of its layers along a leading axis
            return jax.vmap(lambda layer: layer.select(rows))(self)
        chosen = jax.tree.map(lambda leaf: jnp.take(leaf, rows, axis=0), self.replace(length=None))
        return chosen.replace(length=self.length)


class DocumentState(CacheState):
    """State that counts positions: `num_tokens` is the length of each row's last document.

    Attributes:
        segment_ids: the last document of each row; -1 before any.
    """

    segment_ids: Int[Array, "batch"]

    @classmethod
    def start(cls, batch: int) -> Self:
        """The state before any token."""
        return cls.empty(batch, segment_ids=jnp.full(batch, -1, jnp.int32))

    def count(self, context: Context, seq: int) -> tuple[Int[Array, "#batch seq"], Self]:
        """Positions of `seq` new tokens, restarted in each document, and the state after them."""
        batch = len(self.num_tokens)
        context.check(batch, seq)
        positions = context.positions
        if positions is None:
            positions = count(
                seq, context.valid, context.segment_ids, self.segment_ids, self.num_tokens
            )
        new = jnp.arange(1, seq + 1)[None]
        new = jnp.broadcast_to(new, (batch, seq)) if context.valid is None else new * context.valid
        newest = new.max(axis=1, initial=0)[:, None]

        def last(before: Array, values: Array) -> Array:
            values = jnp.broadcast_to(values, (batch, seq)).astype(before.dtype)
            known = jnp.concatenate([before[:, None], values], axis=1)
            return jnp.take_along_axis(known, newest, axis=1)[:, 0]

        after = self.replace(
            length=self.length + seq, num_tokens=last(self.num_tokens, positions + 1)
        )
        if context.segment_ids is not None:
            after = after.replace(segment_ids=last(self.segment_ids, context.segment_ids))
        return positions, after


class Places(Coordinates):
    """Coordinates with every field given for every row, as caches keep them.

    Attributes:
        order: as in `Coordinates`.
        positions: as in `Coordinates`.
        valid: as in `Coordinates`.
        segment_ids: as in `Coordinates`.
    """

    order: Int[Array, "batch seq"]
    positions: Int[Array, "batch seq"]
    valid: Bool[Array, "batch seq"]  # pyright: ignore
    segment_ids: Int[Array, "batch seq"]  # pyright: ignore

    @classmethod
    def of(cls, at: Coordinates, batch: int) -> Self:
        """Fill in the defaults of the fields that `at` leaves out."""
        shape = (batch, at.order.shape[1])
        return cls(
            order=jnp.broadcast_to(at.order, shape),
            positions=jnp.broadcast_to(at.positions, shape),
            valid=jnp.ones(shape, bool) if at.valid is None else at.valid,
            segment_ids=jnp.zeros(shape, jnp.int32) if at.segment_ids is None else at.segment_ids,
        )


class KeyValueState(CacheState):
    """Keys and values in slots, with the coordinates of their tokens; free slots are not valid.

    Attributes:
        keys: an array of shape batch, slots, kv_heads, head_dim; or a tree of arrays that starts
            with batch and slots, where keys are packed.
        values: an array or a tree of arrays, as `keys`.
        at: coordinates of the token in each slot, with every field given for every row.
    """

    keys: Any
    values: Any
    at: Places

    @classmethod
    def free(cls, keys: Any, values: Any, **fields: Any) -> Self:
        """Create a state with free slots, one for each slot of the zeros in `keys` and `values`."""
        shape = jax.tree.leaves(keys)[0].shape[:2]
        zeros = jnp.zeros(shape, jnp.int32)
        at = Places(zeros, zeros, jnp.zeros(shape, bool), zeros)
        return cls.empty(shape[0], keys=keys, values=values, at=at, **fields)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self.at.order.shape[1]

    @property
    def tokens(self) -> tuple[Any, Any, Places]:
        """Everything that is kept per token, as arrays that start with batch and slots."""
        return self.keys, self.values, self.at

    def holding(self, tokens: tuple[Any, Any, Places]) -> Self:
        """Return the state with its `tokens` replaced."""
        keys, values, at = tokens
        return self.replace(keys=keys, values=values, at=at)

    def join(self, keys: Any, values: Any, at: Coordinates) -> Self:
        """Append new tokens behind those of all slots, and count them."""
        new = (keys, values, Places.of(at, len(self.num_tokens)))
        both = jax.tree.map(
            lambda old, x: jnp.concatenate([old, x.astype(old.dtype)], axis=1), self.tokens, new
        )
        return self.counted(at).holding(both)

    def keep(self, kept: Bool[Array, "batch slots"], slots: int) -> Self:
        """Move the `kept` tokens, in order, into the first of `slots` slots; the rest is free."""
        index = jnp.argsort(~kept, axis=1, stable=True)[:, :slots]

        def chosen(leaf: Array) -> Array:
            places = index.reshape(*index.shape, *(1,) * (leaf.ndim - 2))
            return jnp.take_along_axis(leaf, places, axis=1)

        keys, values, at = jax.tree.map(chosen, self.tokens)
        return self.holding((keys, values, at.replace(valid=at.valid & chosen(kept))))


def _last(before: Array, x: Array, valid: Array | None) -> Array:
    """Entry of each row's last real token; `before` where there is none."""
    known = jnp.concatenate([before[:, None], jnp.broadcast_to(x, (len(before), x.shape[1]))], 1)
    if valid is None:
        return known[:, -1]
    last = jnp.where(valid, jnp.arange(1, known.shape[1]), 0).max(axis=1, initial=0)
    return jnp.take_along_axis(known, last[:, None], axis=1)[:, 0]
