"""Chunks and documents of a sequence, which determine where the state is carried."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from blocks.context import Coordinates
from blocks.core.checks import check_values, first_false
from blocks.core.typing import Array, Bool, Int, typed


@typed
def document_runs(
    at: Coordinates, batch: int, last: Int[Array, "batch 1"]
) -> tuple[Int[Array, "batch seq"], Int[Array, "batch 1"]]:
    """Number the documents of new tokens in order, 0 for the one that continues.

    Padding belongs to the document before it, so that it does not end one. A document that
    continues after another one, when its state is gone, is refused.

    Args:
        at: coordinates of the tokens; without segment_ids all continue the sequence so far.
        batch: number of rows.
        last: document of the last real token before.

    Returns:
        The numbers, and the document of the last real token now.

    Raises:
        ValueError: a document in two pieces, at once in an eager call and inside `checked`.
    """
    seq = at.order.shape[1]
    if at.segment_ids is None:
        return jnp.zeros((batch, seq), jnp.int32), last
    segment_ids = at.segment_ids.astype(jnp.int32)
    if at.valid is not None:
        index = jnp.where(at.valid, jnp.arange(seq, dtype=jnp.int32)[None], -1)
        latest = jax.lax.cummax(index, axis=1)
        filled = jnp.take_along_axis(segment_ids, jnp.maximum(latest, 0), axis=1)
        segment_ids = jnp.where(latest >= 0, filled, last)
        # Leading padding is not a document.
        _check_pieces(jnp.where(latest >= 0, filled, jnp.iinfo(jnp.int32).min))
    else:
        _check_pieces(segment_ids)
    known = jnp.concatenate([last, segment_ids], axis=1)
    return jnp.cumsum(known[:, 1:] != known[:, :-1], axis=1, dtype=jnp.int32), known[:, -1:]


def _check_pieces(segment_ids: Int[Array, "batch seq"]) -> None:
    """Refuse rows in which a document continues after another one."""

    def changes(x: Array) -> Array:
        return (x[:, 1:] != x[:, :-1]).sum(axis=1)

    whole = changes(segment_ids) == changes(jnp.sort(segment_ids, axis=1))
    check_values(
        whole.all(),
        "a state forgets a document when the next begins, and in row {row} one comes back; let "
        "the tokens of each document stand together, or use MultiHeadAttention.",
        row=first_false(whole),
    )


class Links(NamedTuple):
    """Connections between tokens and states, by chunk.

    Attributes:
        within: True where a query token (first axis) reads a key token (second axis): not later,
            and in the same document.
        carried: True where the state before the chunk is of this token's document.
        kept: True where the state after the chunk is of this token's document.
        whole: True where the state before the chunk is of the same document at its end.
    """

    within: Bool[Array, "chunks batch size size"]
    carried: Bool[Array, "chunks batch size"]
    kept: Bool[Array, "chunks batch size"]
    whole: Bool[Array, "chunks batch"]


@typed
def link(runs: Int[Array, "batch seq"], size: int, itself: bool = True) -> Links:
    """Compute the connections of each chunk; `itself` lets a token read itself."""
    runs = split(runs, size, mode="edge")
    before = jnp.concatenate([jnp.zeros_like(runs[:1, :, -1]), runs[:-1, :, -1]])
    same = runs[..., :, None] == runs[..., None, :]
    carried = runs == before[..., None]
    return Links(
        within=same & jnp.tri(size, k=0 if itself else -1, dtype=bool)[None, None],
        carried=carried,
        kept=runs == runs[..., -1:],
        whole=carried[..., -1],
    )


def split(x: Array, size: int, mode: str = "constant") -> Array:
    """Reshape `batch seq ...` to `chunks batch size ...`, padded at the end."""
    widths = [(0, 0), (0, -x.shape[1] % size)] + [(0, 0)] * (x.ndim - 2)
    x = jnp.pad(x, widths, mode=mode)
    return jnp.moveaxis(x.reshape(x.shape[0], x.shape[1] // size, size, *x.shape[2:]), 1, 0)


def join(x: Array, seq: int) -> Array:
    """Reshape `chunks batch size ...` back to `batch seq ...`."""
    x = jnp.moveaxis(x, 0, 1)
    return x.reshape(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])[:, :seq]
