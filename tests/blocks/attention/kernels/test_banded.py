"""The banded kernel: results, gradients of gradients, dropout, dtypes, and what it refuses."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Causal, SlidingWindow, SoftCap, dot_product_attention
from blocks.attention import Modification
from blocks.attention.kernels import BandedAttention, Kernel
from blocks.attention.masks import Mask
from blocks.context import Coordinates, locate


def at(seq: int) -> Coordinates:
    return locate(None, 1, seq)


def inputs(seq: int = 7, dim: int = 3) -> list[jax.Array]:
    keys = jax.random.split(jax.random.key(0), 3)
    return [jax.random.normal(key, (4, seq, 2, dim)) for key in keys]


@pytest.mark.parametrize("mask", [Causal(), Causal() & SlidingWindow(3)], ids=str)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 50), (7, 2**19)], ids=str)
def test_bands_of_any_size_give_attention(
    attend: Callable[..., np.ndarray], sizes: tuple[int, int], mask: Mask
) -> None:
    (q, k, v), tokens = inputs(), at(7)
    got = BandedAttention(*sizes)(q, k, v, tokens, tokens, mask=mask)
    window = 7 if mask == Causal() else 3
    for row in range(4):
        want = attend(q[row], k[row], v[row], lambda i, j: i - window < j <= i)
        np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)


def test_tokens_out_of_order_see_those_before_them(attend: Callable[..., np.ndarray]) -> None:
    q, k, v = inputs()
    order = jnp.arange(7)[None, ::-1]
    tokens = Coordinates(order, order)
    got = BandedAttention(3, 50)(q, k, v, tokens, tokens, mask=Causal())
    want = attend(q[0], k[0], v[0], lambda i, j: j >= i)
    np.testing.assert_allclose(got[0], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=str)
def test_half_precision_is_rounded_float32(
    attend: Callable[..., np.ndarray], dtype: jnp.dtype
) -> None:
    q, k, v = (x.astype(dtype) for x in inputs())
    got = BandedAttention(3, 50)(q, k, v, at(7), at(7), mask=Causal())
    assert got.dtype == dtype
    want = attend(*(x[0].astype(jnp.float32) for x in (q, k, v)), lambda i, j: j <= i)
    # Weights and results are rounded once each.
    atol = 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(got[0].astype(jnp.float32), want, rtol=0, atol=atol)


def test_the_gradient_has_a_gradient() -> None:
    q, k, v = inputs(seq=4)

    def of_gradient(kernel: Kernel) -> jax.Array:
        tokens = at(4)

        def total(q: jax.Array) -> jax.Array:
            return jnp.sin(kernel(q, k, v, tokens, tokens, mask=Causal())).sum()

        return jax.jit(jax.grad(lambda q: jnp.square(jax.grad(total)(q)).sum()))(q)

    want = of_gradient(dot_product_attention)
    chex.assert_trees_all_close(of_gradient(BandedAttention(3, 50)), want, rtol=1e-4, atol=1e-5)


def test_the_backward_pass_drops_what_the_forward_pass_drops() -> None:
    (q, k, v), tokens = inputs(), at(7)
    factors = jax.random.normal(jax.random.key(1), v.shape)

    def attend(q: jax.Array, value: jax.Array) -> jax.Array:
        kernel = BandedAttention(query_chunk=3, scores=50)
        options = {"mask": Causal(), "dropout_rate": 0.5, "dropout_key": jax.random.key(2)}
        return kernel(q, k, value, tokens, tokens, **options)

    # Attention is linear in its values: an identity in their place gives the weights.
    identity = jnp.broadcast_to(jnp.eye(7)[None, :, None], (4, 7, 2, 7))
    weights = np.asarray(attend(q, identity))
    assert 0.3 < (weights[:, 3:] == 0.0).mean() < 0.9
    of_q, of_v = jax.grad(lambda *a: (factors * attend(*a)).sum(), argnums=(0, 1))(q, v)
    want = np.einsum("bqhs,bqhd->bshd", weights, factors)
    np.testing.assert_allclose(of_v, want, rtol=1e-4, atol=1e-5)
    # The gradient of queries, by a difference in one direction.
    direction, step = jax.random.normal(jax.random.key(3), q.shape), 1e-2
    ends = [(factors * attend(q + s * step * direction, v)).sum() for s in (1.0, -1.0)]
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose((of_q * direction).sum(), slope, rtol=1e-2)


def test_score_modifications_are_refused() -> None:
    (q, k, v), tokens = inputs(), at(7)
    with pytest.raises(ValueError, match=r"BandedAttention.* does not support the score modific"):
        BandedAttention()(q, k, v, tokens, tokens, modifications=(Modification(SoftCap(cap=2.0)),))
