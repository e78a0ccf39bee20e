"""The cache: what it holds, when it is full, and prompts of different lengths."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    MLP,
    Causal,
    CausalLM,
    Context,
    KeyValueCache,
    LearnedPositions,
    LMHead,
    MultiHeadAttention,
    RingCache,
    RMSNorm,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    checked,
)
from blocks.attention import QKTransform
from blocks.attention.caches import KeyValueState
from blocks.attention.masks import Mask
from blocks.context import Coordinates

EMBED, VOCAB = 8, 11
ROOM = 4


def entries(seq: int, batch: int = 2, seed: int = 0) -> tuple[jax.Array, jax.Array]:
    key, value = jax.random.split(jax.random.key(seed))
    return (
        jax.random.normal(key, (batch, seq, 1, 2)),
        jax.random.normal(value, (batch, seq, 1, 3)),
    )


def at(seq: int, start: int = 0, **fields: Any) -> Coordinates:
    order = start + jnp.arange(seq, dtype=jnp.int32)[None]
    return Coordinates(order, order, **fields)


CACHE = KeyValueCache()


def empty(dtype: Any = jnp.float32) -> KeyValueState:
    return CACHE.start(2, ROOM, 1, 2, 3, dtype)


def extend(state: KeyValueState, key: jax.Array, value: jax.Array, at: Coordinates) -> Any:
    return CACHE.extend(state, key, value, at)[0]


append = jax.jit(extend)


def test_a_new_cache_has_no_valid_slot() -> None:
    cache = empty(jnp.bfloat16)
    assert cache.slots == ROOM
    assert cache.keys.shape == (2, ROOM, 1, 2)
    assert cache.values.shape == (2, ROOM, 1, 3)
    assert cache.keys.dtype == cache.values.dtype == jnp.bfloat16
    assert not cache.at.valid.any()
    assert int(cache.length) == 0


@pytest.mark.parametrize("mask", [Causal(), Causal() & SlidingWindow(2)], ids=str)
def test_no_rows_are_a_batch(mask: Mask) -> None:
    cache = KeyValueCache() if mask == Causal() else RingCache()
    block = MultiHeadAttention(num_heads=2, mask=mask, cache=cache)
    x, segment_ids = jnp.zeros((0, 3, 8)), jnp.zeros((0, 3), jnp.int32)
    for context in (Context(cache_size=4), Context(cache_size=4, segment_ids=segment_ids)):
        y, _ = block.init_with_output(jax.random.key(0), x, context)
        assert y.shape == x.shape


def test_tokens_go_into_the_next_free_slots() -> None:
    first, second = entries(2), entries(1, seed=1)
    cache = append(append(empty(), *first, at(2)), *second, at(1, start=2))
    np.testing.assert_array_equal(cache.keys[:, :2], first[0])
    np.testing.assert_array_equal(cache.keys[:, 2:3], second[0])
    np.testing.assert_array_equal(cache.values[:, 2:3], second[1])
    assert not cache.keys[:, 3:].any()
    assert int(cache.length) == 3
    np.testing.assert_array_equal(cache.num_tokens, [3, 3])
    np.testing.assert_array_equal(cache.at.positions[:, :3], [[0, 1, 2]] * 2)
    where = cache.at
    np.testing.assert_array_equal(where.order[:, :3], [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(where.valid, [[True, True, True, False]] * 2)


def test_padding_and_documents_are_kept() -> None:
    valid = jnp.array([[False, True], [True, True]])
    segment_ids = jnp.array([[0, 7], [7, 7]])
    cache = append(empty(), *entries(2), at(2, valid=valid, segment_ids=segment_ids))
    np.testing.assert_array_equal(cache.at.valid[:, :2], valid)
    np.testing.assert_array_equal(cache.at.segment_ids[:, :2], segment_ids)
    np.testing.assert_array_equal(cache.num_tokens, [1, 2])


def test_a_full_cache_is_an_error_at_once() -> None:
    full = append(empty(), *entries(ROOM), at(ROOM))
    match = (
        r"the cache is full: 1 more tokens after 4 do not fit into 4 slots; "
        r"make it larger with Context\(cache_size=\.\.\.\)\."
    )
    with pytest.raises(ValueError, match=match):
        extend(full, *entries(1), at(1, start=ROOM))


def test_a_chunk_longer_than_the_room_left_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"the cache is full: 3 more tokens after 2 "):
        extend(append(empty(), *entries(2), at(2)), *entries(3), at(3, start=2))


def test_more_tokens_than_slots_are_refused_even_under_jit() -> None:
    match = r"seq=5 tokens do not fit into a cache of 4 slots; make it larger with Context\(cache"
    with pytest.raises(ValueError, match=match):
        jax.jit(lambda key, value: append(empty(), key, value, at(5)))(*entries(5))


def test_what_does_not_fit_a_cache_is_refused_by_name() -> None:
    key, value = entries(2)
    with pytest.raises(TypeError, match=r"argument `value`[^`]*\n  actual:   f32\[2,1,1,3\]"):
        extend(empty(), key, value[:, :1], at(2))


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), **fields})


def vectors(seq: int, batch: int = 2) -> jax.Array:
    return normal(0, (batch, seq, EMBED))


def test_a_full_cache_under_jit_gives_nan_and_an_error_when_checked() -> None:
    block, x = attention(), vectors(ROOM)
    params = block.init(jax.random.key(0), x)["params"]

    def step(cache: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        return block.apply(
            {"params": params, **cache}, x, Context(cache_size=ROOM), mutable="cache"
        )

    out, cache = jax.jit(step)({}, x)
    assert jnp.isfinite(out).all()
    out, cache = jax.jit(step)(cache, x[:, :1])
    assert jnp.isnan(out).all()
    # It stays so: a run that went past its cache cannot come back with numbers.
    assert jnp.isnan(jax.jit(step)(cache, x[:, :1])[0]).all()

    _, cache = checked(step)({}, x)
    with pytest.raises(ValueError, match=r"the cache is full: 1 more tokens after 4"):
        checked(step)(cache, x[:, :1])


def test_a_changed_cache_size_is_refused() -> None:
    block, x = attention(), vectors(2)
    params = drawn_variables(block, x)["params"]
    _, cache = jitted(block, {"params": params}, x, Context(cache_size=4), mutable="cache")
    match = r"cache_size=5 differs from the cache's 4; keep it the same from call to call\."
    with pytest.raises(ValueError, match=match):
        block.apply({"params": params, **cache}, x, Context(cache_size=5), mutable="cache")


@pytest.mark.parametrize("mask", [None, SlidingWindow(2), ~Causal()], ids=repr)
def test_a_mask_that_sees_ahead_is_refused(mask: Mask | None) -> None:
    block, x = attention(mask=mask), vectors(2)
    params = drawn_variables(block, x)["params"]
    with pytest.raises(ValueError, match=r"mask=.* can see ahead.*; use Causal\(\), or leave"):
        block.apply({"params": params}, x, Context(cache_size=4), mutable="cache")


def test_no_cache_is_made_where_none_is_asked() -> None:
    assert set(attention().init(jax.random.key(0), vectors(2))) == {"params"}


def test_grouped_heads_are_cached_once_per_group() -> None:
    block, x = attention(num_heads=4, num_kv_heads=1, head_dim=3), vectors(2)
    params = drawn_variables(block, x)["params"]
    _, updated = jitted(block, {"params": params}, x, Context(cache_size=5), mutable="cache")
    assert updated["cache"]["key_value"].keys.shape == (2, 5, 1, 3)


def test_a_bfloat16_model_keeps_a_bfloat16_cache() -> None:
    block, x = attention(dtype=jnp.bfloat16, position=RoPE()), vectors(4)
    params = drawn_variables(block, x)["params"]
    cache, outputs = {}, []
    step = jax.jit(lambda v, x: block.apply(v, x, Context(cache_size=4), mutable="cache"))
    for t in range(4):
        out, cache = step({"params": params, **cache}, x[:, t : t + 1])
        outputs.append(out)
    assert cache["cache"]["key_value"].keys.dtype == jnp.bfloat16
    assert outputs[0].dtype == jnp.bfloat16
    want = jitted(block, {"params": params}, x).astype(jnp.float32)
    got = jnp.concatenate(outputs, axis=1).astype(jnp.float32)
    np.testing.assert_allclose(got, want, rtol=2**-6, atol=2**-6)


def model(position: QKTransform | None, mask: Mask) -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=VOCAB,
            features=EMBED,
            position=LearnedPositions(max_length=8) if position is None else None,
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=attention(position=position, mask=mask), mlp=MLP(hidden=8)
            ),
            depth=1,
        ),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    )


LENGTHS = (2, 5, 3)
STEPS = 2


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("mask", "position"),
    [
        (Causal(), None),
        (Causal() & SlidingWindow(2), None),
        (Causal() & SlidingWindow(2), RoPE()),
    ],
    ids=["learned", "learned_window", "rotary_window"],
)
def test_ragged_prompts_equal_their_unpadded_rows(
    side: str, mask: Mask, position: QKTransform | None
) -> None:
    lm = model(position, mask)
    longest = max(LENGTHS)
    rows = jax.random.randint(jax.random.key(0), (len(LENGTHS), longest + STEPS), 0, VOCAB)
    params = drawn_variables(lm, rows[:, :longest], seed=1)["params"]
    # The table of positions starts small: make it matter.
    if position is None:
        params["embed"]["position"]["embedding"] *= 50.0
    params["embed"]["embedding"] *= 50.0

    prompt = np.zeros((len(LENGTHS), longest), np.int32)
    valid = np.zeros((len(LENGTHS), longest), bool)
    for row, length in enumerate(LENGTHS):
        place = slice(longest - length, None) if side == "left" else slice(0, length)
        prompt[row, place] = rows[row, :length]
        valid[row, place] = True

    call = jax.jit(lambda v, t, c: lm.apply(v, t, c, mutable="cache"))
    context = Context(valid=jnp.asarray(valid), cache_size=longest + STEPS)
    logits, cache = call({"params": params}, jnp.asarray(prompt), context)
    got = [logits[row][valid[row]] for row in range(len(LENGTHS))]
    for step in range(STEPS):
        new = jnp.stack([rows[row, n + step : n + step + 1] for row, n in enumerate(LENGTHS)])
        logits, cache = call({"params": params, **cache}, new, Context(cache_size=longest + STEPS))
        got = [jnp.concatenate([old, add]) for old, add in zip(got, logits, strict=True)]

    # Causal: what a row gives for its first tokens alone is what it gives for them in full.
    alone = jax.jit(lm.apply)({"params": params}, rows)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(got[row], alone[row, : length + STEPS], rtol=2e-4, atol=2e-4)


def test_tokens_without_a_document_are_refused_after_documents() -> None:
    """They would see every document of their row."""
    block, x, documents = attention(), vectors(2), jnp.array([[0, 0], [0, 3]])
    params = drawn_variables(block, x)["params"]

    def call(cache: Any, x: jax.Array, **fields: Any) -> Any:
        context = Context(cache_size=ROOM, **fields)
        return block.apply({"params": params, **cache}, x, context, mutable="cache")

    _, cache = call({}, x, segment_ids=documents)
    match = r"the cache holds tokens of documents, in row 1.*give Context\(segment_ids=\.\.\.\)"
    with pytest.raises(ValueError, match=match):
        call(cache, x[:, :1])
    later, _ = jax.jit(call)(cache, x[:, :1])
    np.testing.assert_array_equal(jnp.isnan(later).any(axis=(1, 2)), [False, True])
    assert jnp.isfinite(call(cache, x[:, :1], segment_ids=documents[:, 1:])[0]).all()
