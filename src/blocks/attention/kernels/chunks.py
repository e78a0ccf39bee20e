"""Queries and keys split into chunks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from blocks.context import Coordinates
from blocks.core.typing import Array


class Queries(NamedTuple):
    """A chunk of queries, or all chunks along the first axis.

    Attributes:
        query: batch x kv_heads x (group * q_seq) x head_dim, the heads of a group one by one.
        at: coordinates of the queries.
        number: index of the chunk.
    """

    query: Array
    at: Coordinates
    number: Array


class Keys(NamedTuple):
    """A chunk of keys and values, or all chunks along the first axis.

    Attributes:
        key: batch x kv_heads x kv_seq x head_dim.
        value: batch x kv_heads x kv_seq x value_dim.
        at: coordinates of the keys.
        inside: False for keys that only fill up the last chunk; None where there are none.
        number: index of the chunk.
    """

    key: Array
    value: Array
    at: Coordinates
    inside: Array | None
    number: Array


def chunks_of_queries(query: Array, at: Coordinates, kv_heads: int, size: int) -> Queries:
    """Split queries into chunks, with the heads of a group side by side."""
    chunks = _split(query, size)
    number, batch, _, _, head_dim = chunks.shape
    chunks = chunks.reshape(number, batch, size, kv_heads, -1, head_dim)
    rows = jnp.transpose(chunks, (0, 1, 3, 4, 2, 5)).reshape(number, batch, kv_heads, -1, head_dim)
    return Queries(rows, jax.tree.map(lambda x: _split(x, size), at), jnp.arange(number))


def chunks_of_keys(key: Array, value: Array, at: Coordinates, size: int) -> Keys:
    """Split keys and values into chunks."""
    key, value = (jnp.swapaxes(_split(x, size), 2, 3) for x in (key, value))
    number, seq = key.shape[0], at.order.shape[1]
    inside = None
    if number * size != seq:
        inside = (jnp.arange(number * size) < seq).reshape(number, size)
    at = jax.tree.map(lambda x: _split(x, size), at)
    return Keys(key, value, at, inside, jnp.arange(number))


def _split(x: Array, size: int) -> Array:
    """Split the second axis into chunks, and move the axis of chunks to the front."""
    missing = -x.shape[1] % size
    if missing:
        # With copies of the last token, not with zeros: what a score modification computes for a
        # hidden token must be finite, for zero times its gradient to be zero.
        last = jnp.repeat(x[:, -1:], missing, axis=1)
        x = jnp.concatenate([x, last], axis=1)
    chunks = x.reshape(x.shape[0], x.shape[1] // size, size, *x.shape[2:])
    return jnp.swapaxes(chunks, 0, 1)
