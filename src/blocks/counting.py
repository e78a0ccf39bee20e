"""Counting of tokens: positions that restart in each document and pass over padding."""

import jax.numpy as jnp

from blocks.core.typing import Array, Bool, Int, typed


@typed
def count(
    seq: int,
    valid: Bool[Array, "batch seq"] | None = None,
    segment_ids: Int[Array, "batch seq"] | None = None,
    last_segment: Int[Array, "batch"] | None = None,
    num_tokens: Int[Array, "batch"] | None = None,
) -> Int[Array, "#batch seq"]:
    """Positions of `seq` tokens, restarted in each document; padding is not counted.

    Args:
        seq: number of tokens.
        valid: True for real tokens.
        segment_ids: documents of the tokens, one after the other.
        last_segment: document that earlier calls ended in.
        num_tokens: number of its real tokens in earlier calls.
    """
    index = jnp.arange(seq, dtype=jnp.int32)[None]
    if valid is not None:
        index = jnp.maximum(jnp.cumsum(valid, axis=-1, dtype=jnp.int32) - 1, 0)
    before = 0 if num_tokens is None else num_tokens[:, None]
    if segment_ids is None:
        return index + before
    last = segment_ids[:, :1].sum(axis=1) if last_segment is None else last_segment
    begins = segment_ids != newest_before(segment_ids, valid, last)
    begins = begins if valid is None else begins & valid
    start = jnp.where(begins, jnp.broadcast_to(index, begins.shape), -before)
    return index - jnp.maximum.accumulate(start, axis=1)


@typed
def newest_before(
    tokens: Int[Array, "batch seq"],
    valid: Bool[Array, "batch seq"] | None,
    last: Int[Array, "batch"],
) -> Int[Array, "batch seq"]:
    """The newest real token before each token; `last` is the one before all of them."""
    known = jnp.concatenate([last[:, None], tokens], axis=1)
    if valid is None:
        return known[:, :-1]
    index = jnp.arange(tokens.shape[1] + 1)[None]
    index = jnp.where(jnp.pad(valid, ((0, 0), (1, 0)), constant_values=True), index, 0)
    index = jnp.maximum.accumulate(index, axis=1)
    return jnp.take_along_axis(known, index, axis=1)[:, :-1]
