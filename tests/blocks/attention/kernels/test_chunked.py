"""The chunked kernel: what it gives, what it costs, and what becomes of its closures."""

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import normal

from blocks import (
    MLP,
    Causal,
    ChunkedAttention,
    LearnedSinks,
    MultiHeadAttention,
    RMSNorm,
    Stack,
    TransformerBlock,
    dot_product_attention,
)
from blocks.attention import AttentionInputs, ScoreModification
from blocks.attention.kernels import Kernel
from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.layers import stack_layers

SMALL = ChunkedAttention(query_chunk=3, key_chunk=2)


def at(seq: int, start: int = 0, **fields: Any) -> Coordinates:
    order = start + jnp.arange(seq)[None]
    return Coordinates(order, order, **fields)


def inputs(seq: int = 7, heads: int = 4, kv_heads: int = 2, dim: int = 3) -> list[jax.Array]:
    keys = jax.random.split(jax.random.key(0), 3)
    return [
        jax.random.normal(key, (2, seq, number, dim))
        for key, number in zip(keys, (heads, kv_heads, kv_heads), strict=True)
    ]


@pytest.mark.parametrize("chunks", [(1, 1), (2, 5), (7, 7), (64, 64)], ids=str)
def test_chunks_of_any_size_give_attention(
    attend: Callable[..., np.ndarray], chunks: tuple[int, int]
) -> None:
    q, k, v = inputs()
    got = ChunkedAttention(*chunks)(q, k, v, at(7), at(7), mask=Causal())
    for row in range(2):
        want = attend(q[row], k[row], v[row], lambda i, j: j <= i)
        np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)


def bytes_needed(kernel: Kernel, seq: int) -> int:
    """Memory that a forward and backward pass takes beyond arguments and results."""
    array = jax.ShapeDtypeStruct((1, seq, 2, 8), jnp.float32)

    def loss(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        return jnp.square(kernel(q, k, v, at(seq), at(seq), mask=Causal())).sum()

    compiled = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(array, array, array).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def test_memory_grows_with_the_length_not_with_its_square() -> None:
    chunked = ChunkedAttention(query_chunk=32, key_chunk=32)
    assert bytes_needed(chunked, 2048) < 2.1 * bytes_needed(chunked, 1024)
    assert bytes_needed(dot_product_attention, 1024) > 3.5 * bytes_needed(
        dot_product_attention, 512
    )
    assert bytes_needed(chunked, 1024) < 0.2 * bytes_needed(dot_product_attention, 1024)


@pytest.mark.parametrize(
    "hidden",
    [
        {"mask": Causal()},
        {"key_at": at(6, valid=jnp.array([[True] * 4 + [False] * 2]))},
        {"key_at": at(6, segment_ids=jnp.array([[0, 0, 0, 0, 1, 1]]))},
    ],
    ids=["mask", "padding", "documents"],
)
def test_chunks_that_nobody_sees_are_left_out(hidden: dict[str, Any]) -> None:
    q, k, v = (array[:1] for array in inputs(seq=6))
    q = q[:, :4]
    query_at = at(4, segment_ids=jnp.zeros((1, 4), int))
    # Zero times NaN is NaN: what was computed and hidden afterwards would show.
    v = v.at[:, 4:].set(jnp.nan)
    options = {"key_at": at(6), **hidden}

    def total(q: jax.Array) -> jax.Array:
        return ChunkedAttention(4, 2)(q, k, v, query_at, **options).sum()

    assert jnp.isfinite(total(q))
    assert jnp.isfinite(jax.jit(jax.grad(total))(q)).all()


def test_equal_scores_share_their_weight_however_large() -> None:
    # At 1e9, float32 has no digits for the logarithm of a sum of two exponentials.
    q, k = jnp.full((1, 1, 1, 1), 1e9), jnp.ones((1, 2, 1, 1))
    v = jnp.array([1.0, 3.0]).reshape(1, 2, 1, 1)

    def total(v: jax.Array) -> jax.Array:
        return ChunkedAttention(1, 1)(q, k, v, at(1), at(2), scale=1.0).sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(v)
    assert float(value) == 2.0
    np.testing.assert_array_equal(gradient.ravel(), [0.5, 0.5])


def test_bfloat16_stays_bfloat16_and_close() -> None:
    arrays = inputs()
    exact = dot_product_attention(*arrays, at(7), at(7))
    got = SMALL(*(x.astype(jnp.bfloat16) for x in arrays), at(7), at(7))
    assert got.dtype == jnp.bfloat16
    np.testing.assert_allclose(got.astype(jnp.float32), exact, rtol=0.05, atol=0.02)


@jax.jit
def dropped_weights(key: jax.Array, q: jax.Array, k: jax.Array) -> jax.Array:
    """The weights after dropout, seen through values that are unit vectors."""
    seq = k.shape[1]
    v = jnp.broadcast_to(jnp.eye(seq)[None, :, None], (*k.shape[:3], seq))
    return SMALL(q, k, v, at(seq), at(seq), dropout_rate=0.5, dropout_key=key)


def test_dropout_drops_by_its_key_and_keeps_the_mean() -> None:
    q, k = jnp.zeros((1, 60, 2, 3)), jnp.zeros((1, 60, 2, 3))
    first = dropped_weights(jax.random.key(1), q, k)
    chex.assert_trees_all_equal(first, dropped_weights(jax.random.key(1), q, k))
    second = dropped_weights(jax.random.key(2), q, k)
    assert 0.4 < (first == second).mean() < 0.6
    # Chunks are 3 x 2: two that drew from one key would be equal everywhere.
    chunks = first[0, :, 0].reshape(20, 3, 30, 2).swapaxes(1, 2).reshape(600, 6) > 0
    assert len(np.unique(chunks, axis=0)) > 55
    np.testing.assert_allclose(first[first > 0], 2.0 / 60, rtol=1e-5)
    assert 0.48 < (first > 0).mean() < 0.52


def test_the_gradient_drops_what_the_forward_pass_dropped() -> None:
    q, k, v = inputs(kv_heads=4)
    key = jax.random.key(3)
    survives = jnp.swapaxes(dropped_weights(key, q, k) > 0, 1, 2)

    def written_out(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
        weights = jnp.where(survives, 2.0 * jax.nn.softmax(scores), 0.0)
        return jnp.sin(jnp.einsum("bhqk,bkhd->bqhd", weights, v)).sum()

    def chunked(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        return jnp.sin(SMALL(q, k, v, at(7), at(7), dropout_rate=0.5, dropout_key=key)).sum()

    want = jax.jit(jax.value_and_grad(written_out, argnums=(0, 1, 2)))(q, k, v)
    got = jax.jit(jax.value_and_grad(chunked, argnums=(0, 1, 2)))(q, k, v)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-5)


def test_the_gradient_has_a_gradient() -> None:
    q, k, v = inputs(seq=4)

    def of_gradient(kernel: Kernel) -> jax.Array:
        def total(q: jax.Array) -> jax.Array:
            return jnp.sin(kernel(q, k, v, at(4), at(4), mask=Causal())).sum()

        return jax.jit(jax.grad(lambda q: jnp.square(jax.grad(total)(q)).sum()))(q)

    want = of_gradient(dot_product_attention)
    chex.assert_trees_all_close(of_gradient(SMALL), want, rtol=1e-4, atol=1e-5)


class Curve(ScoreModification, kw_only=True):
    """Learns a table, and by how far to look into it."""

    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> Any:
        return {
            "table": self.param("table", nn.initializers.normal(1.0), (3, num_heads)),
            "reach": self.param("reach", nn.initializers.constant(2.4), ()),
        }

    def modify(
        self, scores: jax.Array, parameters: Any, query_at: Coordinates, key_at: Coordinates
    ) -> jax.Array:
        last = jnp.round(parameters["reach"]).astype(jnp.int32)
        distance = query_at.order[:, :, None] - key_at.order[:, None, :]
        return scores + jnp.moveaxis(parameters["table"][jnp.clip(distance, 0, last)], -1, 1)


def test_parameters_of_modifications_get_their_gradient_in_a_scanned_stack() -> None:
    x = normal(0, (1, 5, 4))

    def stack_of(kernel: Kernel, **fields: Any) -> Stack:
        attention = MultiHeadAttention(
            num_heads=2,
            mask=Causal(),
            scores=(Curve(),),
            sinks=LearnedSinks(),
            implementation=kernel,
        )
        layer = TransformerBlock(attention=attention, mlp=MLP(hidden=4), norm=RMSNorm())
        return Stack(block=layer, depth=2, **fields)

    def gradient(stack: Stack, params: Any) -> Any:
        loss = jax.grad(lambda p: jnp.square(stack.apply({"params": p}, x)).sum())
        return jax.jit(loss)(params)

    plain = stack_of(dot_product_attention)
    params = jax.jit(plain.init)(jax.random.key(1), x)["params"]
    want = stack_layers(gradient(plain, params))
    got = gradient(stack_of(SMALL, scan=True, remat=True), stack_layers(params))
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)
    tables = [x for path, x in jax.tree.leaves_with_path(got) if "table" in str(path)]
    assert tables
    assert jnp.abs(tables[0]).max() > 1e-3


ASKED: list[int] = []


class Counting(Mask):
    """A mask that notes how often it was asked, and so how often a call was traced."""

    def __call__(self, query: Coordinates, key: Coordinates) -> jax.Array:
        ASKED.append(1)
        return Causal()(query, key)


def test_eager_calls_compile_once() -> None:
    mask = Counting()
    q, k, v = inputs(seq=5)
    made = len(ASKED)
    SMALL(q, k, v, at(5), at(5), mask=mask)
    asked = len(ASKED)
    SMALL(q, k, v, at(5), at(5), mask=mask)
    assert len(ASKED) == asked > made


@pytest.mark.parametrize("name", ["query_chunk", "key_chunk"])
def test_a_chunk_without_tokens_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}=0 must be at least 1; 512 is usual\."):
        ChunkedAttention(**{name: 0})


def test_what_does_not_fit_is_refused_by_name() -> None:
    q, k, v = inputs()
    with pytest.raises(TypeError, match=r"argument `key`[^`]*\n  actual:   f32\[2,7,2,2\]"):
        SMALL(q, k[..., :2], v, at(7), at(7))
    with pytest.raises(TypeError, match=r"argument `sinks`[^`]*\n  actual:   f32\[3\]"):
        SMALL(q, k, v, at(7), at(7), sinks=jnp.zeros(3))
