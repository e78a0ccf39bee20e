"""The ring: what it holds after wrapping, and that what it dropped was never needed."""

import functools
import re
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    Causal,
    ChunkedAttention,
    ChunkedLocal,
    Context,
    Int8Cache,
    KeyValueCache,
    MultiHeadAttention,
    Prefix,
    RingCache,
    RoPE,
    SlidingWindow,
    checked,
)
from blocks.attention.caches import Cache, Int8RingCache
from blocks.attention.caches.ring import RingState
from blocks.attention.masks import Mask
from blocks.context import Coordinates

WINDOW, SEQ, EMBED = 3, 11, 8


def attention(**fields: Any) -> MultiHeadAttention:
    defaults = {
        "num_heads": 4,
        "num_kv_heads": 2,
        "position": RoPE(),
        "mask": Causal() & SlidingWindow(WINDOW),
        "cache": RingCache(),
    }
    return MultiHeadAttention(**{**defaults, **fields})


X = normal(0, (2, SEQ, EMBED))
PARAMS = drawn_variables(attention(), X, seed=1)["params"]


@functools.cache  # a block is a value: tests share what was compiled
def calls(block: MultiHeadAttention) -> Any:
    return jax.jit(
        lambda cache, x, context: block.apply(
            {"params": PARAMS, **cache}, x, context, mutable="cache"
        )
    )


def in_chunks(call: Any, sizes: tuple[int, ...], context: Context, **split: jax.Array) -> jax.Array:
    """The results of chunks of `X`, of which `split` says further what each token brings."""
    cache, outputs, start = {}, [], 0
    for size in sizes:
        place = slice(start, start + size)
        own = context.replace(**{name: array[:, place] for name, array in split.items()})
        out, cache = call(cache, X[:, place], own)
        outputs.append(out)
        start += size
    return jnp.concatenate(outputs, axis=1)


@pytest.mark.parametrize(
    "mask",
    [Causal() & SlidingWindow(WINDOW), Causal() & (ChunkedLocal(4) | SlidingWindow(1))],
    ids=["window", "chunks"],
)
def test_any_split_gives_the_uncached_pass(mask: Mask) -> None:
    block = attention(mask=mask)
    whole = jitted(block, {"params": PARAMS}, X)
    call = calls(block)
    # A prompt far longer than the window, single tokens, chunks that wrap, a chunk of a whole ring.
    for sizes in [(SEQ,), (8, 1, 1, 1), (1,) * SEQ, (2, 3, 1, 5), (3, 3, 5)]:
        got = in_chunks(call, sizes, Context(cache_size=SEQ))
        chex.assert_trees_all_close(got, whole, rtol=2e-5, atol=2e-5)


def test_a_chunked_kernel_attends_to_it_likewise() -> None:
    block = attention(implementation=ChunkedAttention(query_chunk=2, key_chunk=2))
    got = in_chunks(calls(block), (8, 3), Context(cache_size=SEQ))
    whole = jitted(attention(), {"params": PARAMS}, X)
    chex.assert_trees_all_close(got, whole, rtol=2e-5, atol=2e-5)


def entries(*values: float) -> tuple[jax.Array, jax.Array]:
    x = jnp.array(values, jnp.float32).reshape(1, -1, 1, 1)
    return x, -x


def at(*positions: int, start: int = 0, **fields: Any) -> Coordinates:
    order = start + jnp.arange(len(positions), dtype=jnp.int32)[None]
    return Coordinates(order, jnp.array([positions], jnp.int32), **fields)


CACHE = RingCache()


def empty(size: int = 100, lookback: int = 2) -> RingState:
    return CACHE.start(1, size, 1, 1, 1, jnp.float32, lookback=lookback)


def extend(state: RingState, key: jax.Array, value: jax.Array, at: Coordinates) -> RingState:
    return CACHE.extend(state, key, value, at)[0]


append = jax.jit(extend)


def test_the_newest_takes_the_slot_of_the_oldest() -> None:
    cache = append(empty(), *entries(5, 6), at(0, 1))
    np.testing.assert_array_equal(cache.at.valid, [[True, True, False]])
    cache = append(cache, *entries(7, 8), at(2, 3, start=2))
    np.testing.assert_array_equal(cache.keys.ravel(), [8, 6, 7])
    np.testing.assert_array_equal(cache.values.ravel(), [-8, -6, -7])
    where = cache.at
    np.testing.assert_array_equal(where.order, [[3, 1, 2]])
    np.testing.assert_array_equal(where.positions, [[3, 1, 2]])
    np.testing.assert_array_equal(where.valid, [[True] * 3])
    assert (int(cache.length), int(cache.num_tokens[0])) == (4, 4)


def test_padding_takes_no_slot() -> None:
    valid = jnp.array([[True, False, False, True]])
    documents = jnp.array([[4, 9, 9, 4]])
    new = at(0, 0, 0, 1, valid=valid, segment_ids=documents)
    cache = append(empty(), *entries(5, 6, 7, 8), new)
    np.testing.assert_array_equal(cache.keys.ravel(), [5, 8, 0])
    np.testing.assert_array_equal(cache.at.order, [[0, 3, 0]])
    np.testing.assert_array_equal(cache.at.positions, [[0, 1, 0]])
    np.testing.assert_array_equal(cache.at.valid, [[True, True, False]])
    np.testing.assert_array_equal(cache.at.segment_ids, [[4, 4, 0]])
    assert (int(cache.length), int(cache.num_tokens[0])) == (4, 2)


def test_of_more_tokens_than_slots_the_last_are_kept() -> None:
    valid = jnp.array([[True, True, True, True, False, True, False]])
    cache = append(empty(), *entries(*range(1, 8)), at(0, 1, 2, 3, 3, 4, 4, valid=valid))
    np.testing.assert_array_equal(cache.keys.ravel(), [4, 6, 3])


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_ragged_rows_equal_their_unpadded_rows(side: str) -> None:
    # Padding fills more than the ring: it must not take a slot that a real token still needs.
    front = {"left": (6, 0), "right": (0, 0), "both": (4, 3)}[side]
    lengths = (4, 8)
    junk = 9.0 * normal(2, (2, 10, EMBED))
    prompt, valid = np.array(junk), np.zeros((2, 10), bool)
    for row, (start, length) in enumerate(zip(front, lengths, strict=True)):
        start = start if side != "left" else 10 - length
        length = min(length, 10 - start)
        prompt[row, start : start + length] = X[row, :length]
        valid[row, start : start + length] = True
    lengths = valid.sum(axis=1)
    call, context = calls(attention()), Context(cache_size=10)
    out, cache = call({}, jnp.asarray(prompt), context.replace(valid=jnp.asarray(valid)))
    got = [out[row][valid[row]] for row in range(2)]
    # Rows go on at different times, and one of them ends: its tokens are padding from then on.
    goes = [(True, True), (False, True), (True, False), (True, False)]
    for step in goes:
        at_row = [min(len(got[row]), SEQ - 1) for row in range(2)]
        new = jnp.stack([X[row, t : t + 1] for row, t in enumerate(at_row)])
        out, cache = call(cache, new, context.replace(valid=jnp.array(step)[:, None]))
        got = [jnp.concatenate([got[r], out[r]]) if step[r] else got[r] for r in range(2)]
    alone = jitted(attention(), {"params": PARAMS}, X)
    for row in range(2):
        assert len(got[row]) == lengths[row] + sum(step[row] for step in goes)
        chex.assert_trees_all_close(got[row], alone[row, : len(got[row])], rtol=2e-5, atol=2e-5)


def test_documents_in_one_row_are_kept_apart() -> None:
    segment_ids = jnp.repeat(jnp.array([[1, 2, 2, 5]]), jnp.array([4, 3, 1, 3]), axis=1)
    positions = jnp.array([[0, 1, 2, 3, 0, 1, 2, 3, 0, 2, 4]])  # the last leaves gaps
    segment_ids = jnp.broadcast_to(segment_ids, (2, SEQ))
    uncached = Context(segment_ids=segment_ids, positions=positions)
    whole = jitted(attention(), {"params": PARAMS}, X, uncached)
    for sizes in [(7, 1, 1, 1, 1), (2, 6, 3)]:
        split = {"segment_ids": segment_ids, "positions": positions}
        got = in_chunks(calls(attention()), sizes, Context(cache_size=SEQ), **split)
        chex.assert_trees_all_close(got, whole, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("positions", "segment_ids"),
    [((3, 4, 2), None), ((3, 4, 4), None), ((0, 1, 2), (1, 2, 1)), ((0, 1, 1), (1, 2, 2))],
    ids=["back", "again", "document resumed", "again in a document"],
)
def test_tokens_out_of_order_are_refused(positions: tuple, segment_ids: tuple | None) -> None:
    documents = None if segment_ids is None else jnp.array([segment_ids])
    match = (
        r"overwrites its oldest token, so the tokens of a row must come in order, and row 0 breaks "
        r"it; let positions grow and number documents one after another, or use cache=KeyValueCache"
    )
    with pytest.raises(ValueError, match=match):
        extend(empty(), *entries(1, 2, 3), at(*positions, segment_ids=documents))
    # The same in two calls: the cache remembers where the row stands.
    first, last = (
        at(
            *positions[place],
            start=place.start or 0,
            segment_ids=None if documents is None else documents[:, place],
        )
        for place in (slice(0, 2), slice(2, 3))
    )
    with pytest.raises(ValueError, match=match):
        extend(append(empty(), *entries(1, 2), first), *entries(3), last)


def test_padding_may_stand_anywhere_out_of_order() -> None:
    valid = jnp.array([[True, False, True]])
    assert int(append(empty(), *entries(1, 2, 3), at(5, 0, 6, valid=valid)).newest[0]) == 6


def test_a_row_out_of_order_stays_nan_under_jit_and_others_go_on() -> None:
    call, context = calls(attention()), Context(cache_size=SEQ)
    cache, outputs = {}, []
    for start, positions in (
        (0, [[0], [1]]),
        (1, [[1], [0]]),
        *((t, [[t], [t]]) for t in (2, 3, 4)),
    ):
        own = context.replace(positions=jnp.array(positions))
        out, cache = call(cache, X[:, start : start + 1], own)
        outputs.append(out)
    out = jnp.concatenate(outputs, axis=1)
    chex.assert_trees_all_close(
        out[0], jitted(attention(), {"params": PARAMS}, X)[0, :5], atol=2e-5
    )
    assert jnp.isnan(out[1, 1:]).all()


def test_less_room_than_the_window_is_full_as_any_cache() -> None:
    cache = append(empty(size=2), *entries(5, 6), at(0, 1))
    match = (
        r"the cache is full: 1 more tokens after 2 do not fit into 2 slots, and the window still "
        r"reaches all; make it larger with Context\(cache_size=\.\.\.\), 3 is enough for any length"
    )
    with pytest.raises(ValueError, match=match):
        extend(cache, *entries(7), at(2, start=2))
    step = jax.jit(lambda cache, at: CACHE.extend(cache, *entries(7), at))
    cache, _, values, _ = step(cache, at(2, start=2))
    assert jnp.isnan(values).any()
    assert jnp.isnan(step(cache, at(3, start=3))[2]).any()


def test_less_room_than_the_window_serves_as_many_tokens() -> None:
    call = calls(attention(mask=Causal() & SlidingWindow(50)))
    got = in_chunks(call, (5, 6), Context(cache_size=SEQ))
    whole = jitted(attention(mask=Causal(), cache=KeyValueCache()), {"params": PARAMS}, X)
    chex.assert_trees_all_close(got, whole, rtol=2e-5, atol=2e-5)


def test_errors_are_raised_when_checked() -> None:
    block, x = attention(mask=Causal() & SlidingWindow(50)), X[:, :2]

    def step(cache: Any, x: jax.Array) -> Any:
        return block.apply({"params": PARAMS, **cache}, x, Context(cache_size=2), mutable="cache")[
            1
        ]

    with pytest.raises(ValueError, match="the cache is full: 1 more tokens after 2"):
        checked(step)(checked(step)({}, x), x[:, :1])


@pytest.mark.parametrize("cache", [RingCache(), Int8RingCache()], ids=repr)
@pytest.mark.parametrize(
    "mask", [None, Causal(), Causal() & (SlidingWindow(2) | Prefix(1))], ids=str
)
def test_a_mask_without_an_end_is_refused(mask: Mask | None, cache: Cache) -> None:
    match = (
        rf"cache={re.escape(repr(cache))} keeps a window of the tokens, but mask=.* can see all "
        r"of them; use mask=Causal\(\) & SlidingWindow\(1024\), or cache=KeyValueCache\(\)\."
    )
    with pytest.raises(ValueError, match=match):
        MultiHeadAttention(num_heads=2, mask=mask, cache=cache)


def test_a_ring_without_reach_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"RingCache\(\) needs lookback=\.\.\., the tokens before itself"
    ):
        RingCache().start(1, 4, 1, 1, 1, jnp.float32)


@pytest.mark.parametrize("size", [WINDOW, 1000])
def test_memory_is_the_window_whatever_cache_size_says(size: int) -> None:
    _, cache = calls(attention())({}, X, Context(cache_size=size))
    assert cache["cache"]["key_value"].keys.shape == (2, WINDOW, 2, 2)


def test_a_token_is_written_in_place() -> None:
    def step(cache: Any, x: jax.Array) -> Any:
        return attention().apply(
            {"params": PARAMS, "cache": cache}, x, Context(cache_size=SEQ), mutable="cache"
        )

    _, cache = jax.jit(step)({}, X[:, :1])
    compiled = jax.jit(step, donate_argnums=0).lower(cache["cache"], X[:, :1]).compile()
    kept = sum(leaf.nbytes for leaf in jax.tree.leaves(cache))
    assert compiled.memory_analysis().alias_size_in_bytes == kept  # pyright: ignore


def test_eight_bits_in_a_ring_are_eight_bits_in_a_row() -> None:
    """Both round the same tokens, so the window's results are those of a cache of all tokens."""
    got, want = (
        in_chunks(calls(attention(cache=cache)), (6, 1, 3, 1), Context(cache_size=SEQ))
        for cache in (Int8RingCache(), Int8Cache())
    )
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-5)
