"""Test score modifications: results on all scores at once and chunk by chunk must agree."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.typing import Array

QUERIES, KEYS = 4, 6


def check_chunks(
    modification: Modification, batch: int, heads: int, query_at: Coordinates, key_at: Coordinates
) -> None:
    """Refuse a score modification whose result depends on the shape of its chunk.

    Modifications of this library are covered by its tests; others are tested once, on a few random
    scores, with parameters of the same shapes.

    Raises:
        ValueError: the results on all scores at once and chunk by chunk differ.
    """
    block = modification.block
    if type(block).__module__.startswith("blocks."):
        return
    leaves, tree = jax.tree.flatten(modification)
    shapes = tuple((leaf.shape, leaf.dtype.name) for leaf in leaves)
    given = tuple(at.segment_ids is not None for at in (query_at, key_at))
    cause = None
    try:
        if _alike(tree, shapes, (batch, heads), given):
            return
    except Exception as error:
        cause = error
        shape = (batch, heads, query_at.order.shape[1], key_at.order.shape[1])
        scores = jax.ShapeDtypeStruct(shape, jnp.float32)
        jax.eval_shape(modification, scores, query_at, key_at)  # raises on errors at any shape
    raise ValueError(
        f"{block} makes something else of scores in chunks than of all at once, and kernels "
        "compute them in chunks; go by the coordinates of queries and keys, not by the shape of "
        "`scores`, or write a kernel of your own for what needs all keys together."
    ) from cause


@functools.cache
def _alike(
    tree: Any,
    shapes: tuple[tuple[tuple[int, ...], str], ...],
    sizes: tuple[int, int],
    segmented: tuple[bool, bool],
) -> bool:
    """Return whether both results agree; computed eagerly, also while tracing."""
    draw = np.random.default_rng(0).normal
    leaves = [draw(size=shape).astype(dtype) for shape, dtype in shapes]
    scores = draw(size=(*sizes, QUERIES, KEYS)).astype(np.float32)

    def part(modification: Modification, scores: Array, q: slice, k: slice) -> Array:
        at = [
            _places(n, s, given)
            for n, s, given in zip((QUERIES, KEYS), (q, k), segmented, strict=True)
        ]
        return modification(scores[:, :, q, k], *at)

    @jax.jit
    def both(leaves: list[Array], scores: Array) -> tuple[Array, Array]:
        modification = tree.unflatten(leaves)
        rows = [
            jnp.concatenate([part(modification, scores, q, k) for k in _halves(KEYS)], axis=3)
            for q in _halves(QUERIES)
        ]
        whole = part(modification, scores, slice(0, QUERIES), slice(0, KEYS))
        return whole, jnp.concatenate(rows, axis=2)

    with jax.ensure_compile_time_eval():
        whole, chunked = both(leaves, scores)
    return bool(np.allclose(whole, chunked, rtol=1e-4, atol=1e-4, equal_nan=True))


def _halves(length: int) -> list[slice]:
    half = length // 2
    return [slice(0, half), slice(half, length)]


def _places(length: int, where: slice, segmented: bool) -> Coordinates:
    """Coordinates of a few tokens; the last query is the last key's token."""
    order = jnp.arange(KEYS - length, KEYS, dtype=jnp.int32)[None, where]
    return Coordinates(order, order, None, order // 3 if segmented else None)
