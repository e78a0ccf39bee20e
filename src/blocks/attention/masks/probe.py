"""Test a custom mask on a few tokens: its result, and its claims about itself."""

import functools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from blocks.context import Coordinates
from blocks.core.typing import Array

# Queries and keys of different numbers, or a transposed result would pass.
FEW_QUERIES, FEW_KEYS = 5, 7
# Queries whose visible keys are compared with the mask's claims.
QUERIES = 64
# Claims of a longer lookback than this are not tested.
FARTHEST = 2**16


@functools.lru_cache(maxsize=1024)
def probe(mask: Any) -> None:
    """Refuse a mask whose result is not a mask, or shows more than the mask claims.

    Raises:
        TypeError: a result of another shape or dtype, or a claim of the wrong type.
        ValueError: a key that is visible although `causal` or `lookback` excludes it.
    """
    causal, lookback = mask.causal, mask.lookback
    if not isinstance(causal, bool):
        raise TypeError(f"`causal` must be True or False, and is {causal!r}.")
    whole = isinstance(lookback, int) and not isinstance(lookback, bool) and lookback >= 0
    if not (lookback is None or whole):
        raise TypeError(f"`lookback` must be a number of tokens or None, and is {lookback!r}.")
    with jax.ensure_compile_time_eval():
        for documents in (True, False):
            query, key = tokens(FEW_QUERIES, documents), tokens(FEW_KEYS, documents)
            if _result(mask, query, key) is None:
                continue
            _check_chunks(mask, query, key)
            if causal:
                _check_causal(mask, documents)
            if lookback is not None:
                _check_lookback(mask, min(lookback, FARTHEST), documents)


def tokens(seq: int, documents: bool, start: int = 0) -> Coordinates:
    """Tokens of two rows at successive positions; with `documents`, padding and documents too."""
    order = start + jnp.arange(seq, dtype=jnp.int32)[None]
    if not documents:
        return Coordinates(order, order)
    one_document = jnp.zeros((2, seq), jnp.int32)
    return Coordinates(order, order, jnp.ones((2, seq), bool), one_document)


def visible_to(mask: Any, query: Coordinates, key: Coordinates) -> Any:
    """Keys (columns) that are visible to each query (rows), in any row of the batch."""

    def table(query: Coordinates, key: Coordinates) -> Array:
        visible = mask(query, key)[:, 0].any(axis=0)
        return jnp.broadcast_to(visible, (query.order.shape[1], key.order.shape[1]))

    return jax.device_get(jax.jit(table)(query, key))


def _result(mask: Any, query: Coordinates, key: Coordinates) -> Any:
    """Shape and dtype of a mask's result; None if it needs arrays that the call lacks."""
    try:
        result = jax.eval_shape(lambda query, key: mask(query, key), query, key)
    except ValueError:
        if query.segment_ids is not None:
            raise
        return None
    except Exception as error:
        if query.segment_ids is not None:
            raise
        raise TypeError(
            "`__call__` fails in a call without padding and documents, where `valid` and "
            "`segment_ids` of queries and keys are None\n"
            "  fix:      go on without them where they are None; attention itself hides padding "
            "and other documents"
        ) from error
    q_seq, kv_seq = query.order.shape[1], key.order.shape[1]
    shape = getattr(result, "shape", None)
    fits = (
        shape is not None
        and len(shape) == 4
        and shape[0] in (1, 2)
        and shape[1] == 1
        and shape[2] in (1, q_seq)
        and shape[3] == kv_seq
        and result.dtype == bool
    )
    if not fits:
        actual = type(result).__name__ if shape is None else f"{result.dtype}{list(shape)}"
        raise TypeError(
            f"`__call__` gives no mask for {q_seq} queries and {kv_seq} keys of 2 rows\n"
            f"  expected: bool[#batch, 1, #q_seq, kv_seq], as bool[2, 1, {q_seq}, {kv_seq}]\n"
            f"  actual:   {actual}\n"
            "  fix:      compare query.positions[:, None, :, None] with "
            "key.positions[:, None, None, :]"
        )
    return result


def _check_chunks(mask: Any, query: Coordinates, key: Coordinates) -> None:
    """Refuse a mask that goes by the shape of what it is given: kernels ask for it in chunks."""
    whole = visible_to(mask, query, key)
    for queries, keys in ((slice(0, 2), slice(0, 4)), (slice(2, None), slice(4, None))):
        some = visible_to(mask, _chunk(query, queries), _chunk(key, keys))
        if (some != whole[queries, keys]).any():
            raise ValueError(
                "`__call__` gives another mask for a few of the tokens than for all, and kernels "
                "and caches ask for it in chunks; go by the coordinates of queries and keys, as "
                "key.positions, not by how many there are."
            )


def _chunk(at: Coordinates, some: slice) -> Coordinates:
    return jax.tree.map(lambda array: array[:, some], at)


def _check_causal(mask: Any, documents: bool) -> None:
    both = tokens(QUERIES, documents)
    for query, key in _pairs(visible_to(mask, both, both)):
        if key > query:
            raise ValueError(
                f"`causal` is True, but query {query} sees key {key}, which comes after it; say "
                "False, and combine it as Causal() & ... where it must be causal."
            )


def _check_lookback(mask: Any, lookback: int, documents: bool) -> None:
    first = lookback + 1
    query, key = tokens(QUERIES, documents, start=first), tokens(first + QUERIES, documents)
    for row, place in _pairs(visible_to(mask, query, key)):
        if first + row - place > lookback:
            raise ValueError(
                f"`lookback` is {lookback}, but the query at position {first + row} sees the key "
                f"at position {place}, {first + row - place} before it; say how far it sees, or "
                "None where no number says."
            )


def _pairs(table: Any) -> Iterable[tuple[int, int]]:
    """Pairs of a query and a key that is visible to it."""
    return zip(*(index.tolist() for index in table.nonzero()), strict=True)
