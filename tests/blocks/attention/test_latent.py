"""Latent attention: what it keeps, that it never makes keys from it, and what it refuses."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    Causal,
    Context,
    CudnnAttention,
    Int8Cache,
    LatentAttention,
    RingCache,
    RoPE,
    SlidingWindow,
    YaRN,
)
from blocks.attention.latent import absorb, unfold

SEQ, EMBED, HEADS, HEAD_DIM, ROPE, RANK = 7, 8, 3, 4, 2, 5
X = normal(0, (2, SEQ, EMBED))


def latent(**fields: Any) -> LatentAttention:
    sizes = {"num_heads": HEADS, "head_dim": HEAD_DIM, "rope_dim": ROPE, "kv_rank": RANK}
    return LatentAttention(**{**sizes, "q_rank": 6, "mask": Causal(), **fields})


PARAMS = drawn_variables(latent(), X, seed=1)["params"]


def in_chunks(block: LatentAttention, sizes: tuple[int, ...]) -> tuple[jax.Array, Any]:
    call = jax.jit(
        lambda cache, x: block.apply(
            {"params": PARAMS, **cache}, x, Context(cache_size=SEQ), mutable="cache"
        )
    )
    cache, outputs, start = {}, [], 0
    for size in sizes:
        out, cache = call(cache, X[:, start : start + size])
        outputs.append(out)
        start += size
    return jnp.concatenate(outputs, axis=1), cache["cache"]["key_value"]


@pytest.mark.parametrize("sizes", [(SEQ,), (1,) * SEQ, (3, 4)], ids=str)
def test_absorbed_gives_what_expanded_gives(sizes: tuple[int, ...]) -> None:
    # Cached calls attend to latents, uncached ones to keys and values made from them.
    expanded = jax.jit(latent().apply)({"params": PARAMS}, X)
    chex.assert_trees_all_close(in_chunks(latent(), sizes)[0], expanded, rtol=2e-5, atol=2e-5)


def test_biases_stand_where_published_weights_have_them() -> None:
    for q_rank, down in ((6, {"query_down"}), (None, set())):
        params = drawn_variables(latent(use_bias=True, q_rank=q_rank), X, seed=1)["params"]
        biased = {name for name, own in params.items() if "bias" in own}
        assert biased == {"kv_down", "key_rope", "out"} | down


def test_absorbing_moves_a_matrix_to_the_other_side_of_a_product() -> None:
    draw = np.random.default_rng(0).standard_normal
    query, kernel = draw((1, 2, HEADS, HEAD_DIM)), draw((RANK, HEADS, HEAD_DIM))
    latents, weights = draw((4, RANK)), draw((2, HEADS, 4))
    scores = np.einsum("bqhd,rhd,sr->bhqs", query, kernel, latents)
    values = np.einsum("qhs,sr,rhd->qhd", weights, latents, kernel)
    absorbed = absorb(jnp.float32(query), jnp.float32(kernel))
    np.testing.assert_allclose(
        np.einsum("bqhr,sr->bhqs", absorbed, latents), scores, rtol=1e-5, atol=1e-5
    )
    mixed = np.einsum("qhs,sr->qhr", weights, latents)[None]
    np.testing.assert_allclose(
        unfold(jnp.float32(mixed), jnp.float32(kernel))[0], values, rtol=1e-5, atol=1e-5
    )


def test_a_token_is_kept_as_a_latent_and_a_rotary_key() -> None:
    for heads in (3, 64):
        block = latent(num_heads=heads)
        cache = jax.eval_shape(
            lambda block=block: block.init(jax.random.key(0), X, Context(cache_size=10))
        )["cache"]["key_value"]
        numbers = cache.keys.size + cache.values.size
        assert numbers == 2 * 10 * (RANK + ROPE)
        assert cache.keys.dtype == cache.values.dtype == jnp.float32


def test_keys_and_values_of_heads_are_never_made_from_the_cache() -> None:
    slots = 50
    context = Context(cache_size=slots)
    _, cache = jitted(latent(), {"params": PARAMS}, X, context, mutable="cache")
    traced = jax.make_jaxpr(
        lambda x: latent().apply({"params": PARAMS, **cache}, x, context, mutable="cache")
    )(X[:, :1])

    def shapes(jaxpr: Any) -> set[tuple[int, ...]]:
        found = {variable.aval.shape for eqn in jaxpr.eqns for variable in eqn.outvars}
        inner = [x for eqn in jaxpr.eqns for x in jax.tree.leaves(list(eqn.params.values()))]
        return found.union(*(shapes(x.jaxpr) for x in inner if hasattr(x, "jaxpr")))

    # One head of latents and rotary keys at most; per head there are scores alone.
    sizes = {int(np.prod(shape)) for shape in shapes(traced.jaxpr) if slots in shape}
    assert max(sizes) == 2 * slots * (RANK + ROPE)


def test_a_ring_of_latents() -> None:
    block = latent(mask=Causal() & SlidingWindow(3), cache=RingCache())
    expanded = jitted(block, {"params": PARAMS}, X)
    got, cache = in_chunks(block, (5, 1, 1))
    assert cache.slots == 3
    chex.assert_trees_all_close(got, expanded, rtol=2e-5, atol=2e-5)


def test_latents_of_eight_bits_are_close() -> None:
    expanded = jitted(latent(), {"params": PARAMS}, X)
    got, _ = in_chunks(latent(cache=Int8Cache()), (5, 1, 1))
    assert 0.0 < jnp.linalg.norm(got - expanded) / jnp.linalg.norm(expanded) < 0.02


def test_the_position_turns_the_rotary_part_alone() -> None:
    # Far positions with a scaling: only what stands in the slot tells them.
    near, far = (Context(positions=start + jnp.arange(SEQ)[None]) for start in (0, 1000))
    for position in (RoPE(interleaved=True, scaling=YaRN(factor=4.0, trained_length=8)), None):
        block = latent(position=position)
        got = jitted(block, {"params": PARAMS}, X, far)
        want = jitted(block, {"params": PARAMS}, X, near)
        chex.assert_trees_all_close(got, want, rtol=1e-3, atol=1e-3)  # distances are the same
    unplaced = jitted(latent(position=None), {"params": PARAMS}, X)
    assert not np.allclose(jitted(latent(), {"params": PARAMS}, X), unplaced, atol=1e-3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(
            ({name: 0}, f"{name}=0 must be at least 1")
            for name in ("num_heads", "head_dim", "rope_dim", "kv_rank", "q_rank", "value_dim")
        ),
        ({"dropout_rate": 1.0}, r"dropout_rate=1.0 must be at least 0 and below 1"),
        (
            {"implementation": CudnnAttention()},
            "does not support values of another width than keys",
        ),
        (
            {"cache": RingCache()},
            r"cache=RingCache\(\) keeps a window .* but mask=Causal\(\) can see",
        ),
    ],
    ids=str,
)
def test_fields_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        latent(**fields)


def test_a_mask_that_sees_ahead_has_no_cache() -> None:
    with pytest.raises(ValueError, match=r"mask=None can see ahead.*; use Causal\(\)"):
        latent(mask=None).apply({"params": PARAMS}, X, Context(cache_size=SEQ), mutable="cache")


def test_a_full_cache_is_an_error() -> None:
    call = Context(cache_size=SEQ - 1)
    with pytest.raises(ValueError, match=f"seq={SEQ} tokens do not fit into a cache of {SEQ - 1}"):
        latent().apply({"params": PARAMS}, X, call, mutable="cache")
