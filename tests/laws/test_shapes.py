"""Laws over any shape: what pure functions and cheap blocks keep, whatever hypothesis draws."""

import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks import Bidirectional, Causal, ChunkedLocal, Linear, Prefix, SlidingWindow
from blocks.attention.caches.int8 import dequantise, quantise
from blocks.attention.masks import Dilated, Mask, Padding, Segments
from blocks.attention.masks.inputs import visible
from blocks.context import Coordinates
from blocks.layers import stack_layers, unstack_layers
from blocks.moe.dispatch import block_size, plan
from blocks.positions.relative_bias import relative_buckets
from blocks.positions.rotary import rotate

# The same examples in every run, and no database of failures beside the tests. Every new shape is
# compiled, operation by operation, so that examples are few and sizes come from short lists.
laws = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no failure
)

Token = dict[str, int]
Rule = Callable[[Token, Token], bool]


def leaf(make: Callable[..., Mask], rule: Callable[..., bool], low: int) -> st.SearchStrategy:
    """A mask with one number, and what it says of a query, a key and that number."""
    return st.integers(low, 4).map(lambda n: (make(n), lambda q, k: rule(q, k, n)))


LEAVES = st.one_of(
    st.just((Causal(), lambda q, k: k["order"] <= q["order"])),
    st.just((Bidirectional(), lambda q, k: True)),
    st.just((Padding(), lambda q, k: bool(k["valid"]))),
    st.just((Segments(), lambda q, k: q["segment_ids"] == k["segment_ids"])),
    leaf(SlidingWindow, lambda q, k, n: abs(q["positions"] - k["positions"]) < n, 1),
    leaf(ChunkedLocal, lambda q, k, n: q["positions"] // n == k["positions"] // n, 1),
    leaf(Dilated, lambda q, k, n: (q["positions"] - k["positions"]) % n == 0, 1),
    leaf(Prefix, lambda q, k, n: k["positions"] < n, 0),
)


def combined(parts: st.SearchStrategy) -> st.SearchStrategy:
    def both(pair: Any) -> Any:
        (m, f), (n, g) = pair
        return m & n, lambda q, k: f(q, k) and g(q, k)

    def either(pair: Any) -> Any:
        (m, f), (n, g) = pair
        return m | n, lambda q, k: f(q, k) or g(q, k)

    def neither(one: Any) -> Any:
        m, f = one
        return ~m, lambda q, k: not f(q, k)

    pairs = st.tuples(parts, parts)
    return st.one_of(pairs.map(both), pairs.map(either), parts.map(neither))


MASKS = st.recursive(LEAVES, combined, max_leaves=5)


@st.composite
def texts(draw: Any) -> tuple[Coordinates, list[list[Token]]]:
    """Two rows of up to five tokens: where they stand, as arrays and one by one."""
    seq = draw(st.sampled_from([0, 1, 2, 5]))
    numbers = {
        "positions": st.integers(0, 9),
        "valid": st.booleans(),
        "segment_ids": st.integers(0, 2),
    }
    rows = {
        name: np.array(draw(st.lists(number, min_size=2 * seq, max_size=2 * seq))).reshape(2, seq)
        for name, number in numbers.items()
    }
    coordinates = Coordinates(
        order=jnp.arange(seq)[None],
        positions=jnp.asarray(rows["positions"], jnp.int32),
        valid=jnp.asarray(rows["valid"], bool),
        segment_ids=jnp.asarray(rows["segment_ids"], jnp.int32),
    )
    alone = [
        [{"order": t, **{name: int(row[b, t]) for name, row in rows.items()}} for t in range(seq)]
        for b in range(2)
    ]
    return coordinates, alone


@laws
@given(MASKS, texts())
def test_a_combination_of_masks_says_of_each_pair_what_its_words_say(
    masked: tuple[Mask, Rule], text: Any
) -> None:
    (mask, rule), (at, rows) = masked, text
    seq = len(rows[0])
    words = [[[rule(q, k) for k in row] for q in row] for row in rows]
    expected = np.array(words, bool).reshape(2, 1, seq, seq)
    np.testing.assert_array_equal(np.broadcast_to(mask(at, at), expected.shape), expected)
    seen = [
        [[k["valid"] == 1 and k["segment_ids"] == q["segment_ids"] for k in row] for q in row]
        for row in rows
    ]
    both = expected & np.array(seen, bool).reshape(expected.shape)
    np.testing.assert_array_equal(np.broadcast_to(visible(mask, at, at), both.shape), both)


@laws
@given(MASKS, texts())
def test_a_mask_that_calls_itself_causal_is(masked: tuple[Mask, Rule], text: Any) -> None:
    (mask, rule), (_, rows) = masked, text
    ahead = [rule(q, k) for row in rows for q in row for k in row if k["order"] > q["order"]]
    assert not (mask.causal and any(ahead))


@laws
@given(
    st.lists(st.integers(-300, 300), min_size=8, max_size=8),
    st.sampled_from([4, 8, 32]),
    st.sampled_from([16, 50, 128]),
    st.booleans(),
)
def test_buckets_are_those_of_t5(
    steps: list[int], num_buckets: int, max_distance: int, bidirectional: bool
) -> None:
    def bucket(step: int) -> set[int]:
        side = num_buckets // 2 if bidirectional else num_buckets
        start = side if bidirectional and step > 0 else 0
        distance = abs(step) if bidirectional else max(-step, 0)
        exact = side // 2
        if distance < exact:
            return {start + distance}
        far = math.log(distance / exact) / math.log(max_distance / exact) * (side - exact)
        # Float32 may fall on either side of a whole number.
        return {start + min(exact + int(far + e), side - 1) for e in (-1e-5, 0.0, 1e-5)}

    got = relative_buckets(jnp.array(steps), num_buckets, max_distance, bidirectional)
    for step, number in zip(steps, got.tolist(), strict=True):
        assert number in bucket(step), step


@laws
@given(
    st.sampled_from([(4, 1), (4, 2), (6, 2)]),
    st.booleans(),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.integers(0, 200),
    st.integers(0, 2**31),
)
def test_rotation_keeps_lengths_and_sees_distances_alone(
    sizes: tuple[int, int], interleaved: bool, at: int, other: int, shift: int, seed: int
) -> None:
    head_dim, pairs = sizes
    random = np.random.default_rng(seed)
    query, key = jnp.asarray(random.normal(size=(2, 1, 1, 3, head_dim)), jnp.float32)
    frequencies = jnp.asarray(random.uniform(0.0, 1.0, size=pairs), jnp.float32)

    def turned(x: jax.Array, position: int) -> np.ndarray:
        got = rotate(x, jnp.array([[position]]), frequencies, interleaved)
        return np.asarray(got, np.float64)

    np.testing.assert_allclose(
        np.linalg.norm(turned(query, at), axis=-1), np.linalg.norm(query, axis=-1), rtol=1e-5
    )
    before = (turned(query, at) * turned(key, other)).sum(axis=-1)
    after = (turned(query, at + shift) * turned(key, other + shift)).sum(axis=-1)
    # A float32 angle of 2200 is right to 1e-4.
    np.testing.assert_allclose(before, after, atol=5e-3)
    np.testing.assert_array_equal(turned(query, at)[..., 2 * pairs :], query[..., 2 * pairs :])


@laws
@given(
    st.sampled_from([(), (1,), (3, 2), (0,)]),
    st.sampled_from([1, 2, 7]),
    st.floats(-20, 20),
    st.integers(0, 2**31),
)
def test_eight_bits_are_wrong_by_at_most_half_a_step(
    shape: tuple[int, ...], features: int, power: float, seed: int
) -> None:
    x = np.random.default_rng(seed).normal(size=(*shape, features)) * 10.0**power
    x = x.astype(np.float32)
    whole, step = quantise(jnp.asarray(x))
    error = np.abs(np.asarray(dequantise(whole, step, jnp.float32), np.float64) - x)
    bound = np.abs(x).max(axis=-1, keepdims=True) / 254.0
    assert whole.dtype == jnp.int8
    assert (error <= bound * (1.0 + 1e-4)).all()


@laws
@given(st.sampled_from([1, 2, 3]), st.sampled_from([1, 2]), st.sampled_from([(), (1,), (2, 3)]))
def test_layers_come_back_from_the_layout_of_a_scan(
    pattern: int, repeats: int, shape: tuple[int, ...]
) -> None:
    params = {
        f"layer_{index}": {"part": {"kernel": jnp.full(shape, float(index))}}
        for index in range(pattern * repeats)
    }
    stacked = stack_layers(params, pattern)
    assert len(stacked) == pattern
    assert all(tree["part"]["kernel"].shape == (repeats, *shape) for tree in stacked.values())
    chex.assert_trees_all_equal(unstack_layers(stacked), params)


@laws
@given(st.sampled_from([1, 2, 5]), st.sampled_from([0, 1, 12, 30]), st.data())
def test_every_row_has_a_place_of_its_own_at_its_expert(
    num_experts: int, rows: int, data: st.DataObject
) -> None:
    number = st.integers(0, num_experts - 1)
    experts = np.array(data.draw(st.lists(number, min_size=rows, max_size=rows)), np.int32)
    size = block_size(rows, num_experts)
    where = plan(jnp.asarray(experts), num_experts, size)
    place, expert, used = (np.asarray(x) for x in (where.place, where.expert, where.used))
    assert len(set(place.tolist())) == rows
    np.testing.assert_array_equal(expert[place // size], experts)
    assert used[place // size].all()
    # No block is computed but for its rows.
    assert used.sum() == sum(-(-int((experts == e).sum()) // size) for e in range(num_experts))


@laws
@given(
    st.sampled_from([(), (1,), (0,), (2, 3)]),
    st.sampled_from([(1,), (3,), (2, 3)]),
    st.sampled_from([(1,), (4,), (2, 1, 3)]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_a_linear_map_is_that_of_numpy_for_any_axes(
    leading: tuple[int, ...],
    consumed: tuple[int, ...],
    features: tuple[int, ...],
    use_bias: bool,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    x, kernel, bias = (
        random.normal(size=shape).astype(np.float32)
        for shape in ((*leading, *consumed), (*consumed, *features), features)
    )
    linear = Linear(features=features, axes=len(consumed), use_bias=use_bias)
    params = {"kernel": kernel, **({"bias": bias} if use_bias else {})}
    got = linear.apply({"params": jax.tree.map(jnp.asarray, params)}, jnp.asarray(x))
    expected = np.tensordot(x.astype(np.float64), kernel.astype(np.float64), axes=len(consumed))
    expected = expected + bias if use_bias else expected
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
