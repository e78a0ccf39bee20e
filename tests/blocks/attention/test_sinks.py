"""Sinks: a logit per head that takes weight and gives nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Context, LearnedSinks, MultiHeadAttention, SoftCap, dot_product_attention
from blocks.attention import Modification, Sinks, SoftmaxOne
from blocks.attention.kernels import masked_softmax
from blocks.context import locate


def test_softmax_one_adds_one_to_the_denominator() -> None:
    scores = jnp.array([[1.0, 2.0], [-50.0, -60.0]])
    got = masked_softmax(scores, None, jnp.zeros((1, 1)))
    e = np.exp(np.asarray(scores, np.float64))
    np.testing.assert_allclose(got, e / (1.0 + e.sum(axis=-1, keepdims=True)), rtol=1e-5)


def test_a_sink_takes_its_share_after_the_mask() -> None:
    scores = jnp.array([[1.0, 2.0, 70.0], [3.0, 4.0, 5.0]])
    seen = jnp.array([[True, True, False], [False] * 3])
    got = masked_softmax(scores, seen, jnp.full((1, 1), 1.5))
    e = np.exp([1.0, 2.0, 1.5])
    np.testing.assert_allclose(got[0], [e[0] / e.sum(), e[1] / e.sum(), 0.0], rtol=1e-5)
    np.testing.assert_array_equal(got[1], [0.0, 0.0, 0.0])


def test_a_sink_far_above_all_scores_leaves_nothing_and_far_below_changes_nothing() -> None:
    x = jax.random.normal(jax.random.key(0), (1, 4, 2, 3))
    at = locate(None, 1, 4)
    plain = dot_product_attention(x, x, x, at, at)
    none = dot_product_attention(x, x, x, at, at, sinks=jnp.full(2, 1e9))
    same = dot_product_attention(x, x, x, at, at, sinks=jnp.array([-1e9, 1e9]))
    assert not none.any()
    np.testing.assert_allclose(same[:, :, 0], plain[:, :, 0], rtol=1e-6)
    assert not same[:, :, 1].any()


def test_sinks_join_after_score_modifications() -> None:
    """A cap that would bound a sink too would leave it a share of its own."""
    x = jax.random.normal(jax.random.key(0), (1, 4, 2, 3))
    at = locate(None, 1, 4)
    cap = (Modification(SoftCap(cap=0.5)),)
    low = dot_product_attention(x, x, x, at, at, modifications=cap, sinks=jnp.full(2, -1e9))
    none = dot_product_attention(x, x, x, at, at, modifications=cap)
    np.testing.assert_allclose(low, none, rtol=1e-6)


def test_a_learned_sink_at_zero_is_softmax_one() -> None:
    x = jax.random.normal(jax.random.key(0), (1, 5, 8))
    learned = MultiHeadAttention(num_heads=2, sinks=LearnedSinks())
    variables = learned.init(jax.random.key(1), x)
    sinks = variables["params"]["sinks"]["sinks"]
    assert sinks.shape == (2,)
    assert 0.0 < jnp.abs(sinks).max() < 0.1
    variables["params"]["sinks"]["sinks"] = jnp.zeros(2)
    constant = MultiHeadAttention(num_heads=2, sinks=SoftmaxOne())
    np.testing.assert_array_equal(learned.apply(variables, x), constant.apply(variables, x))


def test_a_token_that_sees_nothing_still_gets_zeros() -> None:
    block = MultiHeadAttention(num_heads=2, sinks=LearnedSinks(), use_bias=False)
    x = jnp.ones((1, 3, 8))
    variables = block.init(jax.random.key(0), x)
    assert not block.apply(variables, x, Context(valid=jnp.zeros((1, 3), bool))).any()


def test_the_base_says_that_it_has_no_logits() -> None:
    with pytest.raises(TypeError, match=r"Sinks has no logits: give it a method `logits`\."):
        MultiHeadAttention(num_heads=2, sinks=Sinks()).init(jax.random.key(0), jnp.ones((1, 3, 8)))
