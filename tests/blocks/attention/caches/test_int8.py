"""The cache of eight bits: how wrong it may be, and what it saves."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import Causal, Context, Int8Cache, KeyValueCache, MultiHeadAttention, RoPE
from blocks.attention.caches import Cache
from blocks.context import Coordinates

KEY, VALUE = (scale * normal(seed, (2, 3, 2, 16)) for seed, scale in ((0, 5.0), (1, 0.01)))

CACHE = Int8Cache()
EMPTY = CACHE.start(2, 4, 2, 16, 16, jnp.float32)


def at(seq: int) -> Coordinates:
    order = jnp.arange(seq, dtype=jnp.int32)[None]
    return Coordinates(order, order)


def test_every_entry_is_within_half_a_step() -> None:
    state, keys, values, _ = CACHE.extend(EMPTY, KEY, VALUE, at(3))
    assert state.keys.integers.dtype == state.values.integers.dtype == jnp.int8
    for got, want in ((keys, KEY), (values, VALUE)):
        want = np.asarray(want, np.float64)
        half_a_step = np.abs(want).max(axis=-1, keepdims=True) / 254
        assert (np.abs(got[:, :3] - want) <= half_a_step * 1.00001).all()
        assert np.abs(got[:, :3] - want).max() > 0.0


def test_zeros_stay_zeros() -> None:
    zeros = jnp.zeros_like(KEY)
    _, keys, values, _ = CACHE.extend(EMPTY, zeros, zeros, at(3))
    chex.assert_trees_all_equal(keys, jnp.zeros((2, 4, 2, 16)))
    chex.assert_trees_all_equal(values, jnp.zeros((2, 4, 2, 16)))


def test_a_vector_takes_its_features_and_four_bytes() -> None:
    def size(cache: Cache) -> int:
        state = cache.start(1, 100, 8, 64, 64, jnp.float32)
        return sum(leaf.nbytes for leaf in jax.tree.leaves(state))

    vectors = 2 * 100 * 8
    where = size(KeyValueCache()) - vectors * 64 * 4
    assert size(Int8Cache()) == vectors * (64 + 4) + where


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_attention_with_it_is_close_to_attention_without(dtype: jnp.dtype) -> None:
    block = MultiHeadAttention(
        num_heads=4, mask=Causal(), position=RoPE(), cache=Int8Cache(), dtype=dtype
    )
    x = normal(2, (2, 12, 64))
    variables = drawn_variables(block, x, seed=3)
    whole = jitted(block, variables, x)

    @jax.jit
    def call(variables: dict, x: jax.Array) -> tuple[jax.Array, dict]:
        return block.apply(variables, x, Context(cache_size=12), mutable=["cache"])

    first, cache = call(variables, x[:, :9])
    rest, _ = call({**variables, **cache}, x[:, 9:])
    got = jnp.concatenate([first, rest], axis=1)
    assert got.dtype == dtype
    error = jnp.linalg.norm((got - whole).astype(jnp.float32))
    assert 0.0 < error / jnp.linalg.norm(whole.astype(jnp.float32)) < 0.02


def test_a_full_cache_is_an_error_and_never_overwritten() -> None:
    state = CACHE.extend(EMPTY, KEY, VALUE, at(3))[0]
    with pytest.raises(ValueError, match="the cache is full: 3 more tokens after 3 do not fit"):
        CACHE.extend(state, KEY, VALUE, at(3))
    _, _, values, _ = jax.jit(CACHE.extend)(state, KEY, VALUE, at(3))
    assert jnp.isnan(values).any()
