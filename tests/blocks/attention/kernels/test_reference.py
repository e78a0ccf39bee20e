"""The reference kernel, the masked softmax and dropout, against loops in float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Causal, SlidingWindow, SoftCap, dot_product_attention
from blocks.attention import Modification, ScoreModification
from blocks.attention.kernels import dropout, masked_softmax
from blocks.context import Coordinates


def at(seq: int, start: int = 0, **fields: Any) -> Coordinates:
    order = start + jnp.arange(seq)[None]
    return Coordinates(order, order, **fields)


def inputs(
    q_seq: int = 4, kv_seq: int = 4, heads: int = 4, kv_heads: int = 4, value_dim: int = 3
) -> tuple[jax.Array, jax.Array, jax.Array]:
    keys = jax.random.split(jax.random.key(0), 3)
    return (
        jax.random.normal(keys[0], (2, q_seq, heads, 3)),
        jax.random.normal(keys[1], (2, kv_seq, kv_heads, 3)),
        jax.random.normal(keys[2], (2, kv_seq, kv_heads, value_dim)),
    )


def check(got: jax.Array, want: Callable[[int], np.ndarray]) -> None:
    for row in range(got.shape[0]):
        np.testing.assert_allclose(got[row], want(row), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_query_heads_share_key_heads_in_consecutive_groups(
    attend: Callable[..., np.ndarray], kv_heads: int
) -> None:
    q, k, v = inputs(kv_heads=kv_heads)
    got = dot_product_attention(q, k, v, at(4), at(4), mask=Causal())
    check(got, lambda row: attend(q[row], k[row], v[row], lambda i, j: j <= i))


def test_queries_keys_and_values_may_differ_in_size(attend: Callable[..., np.ndarray]) -> None:
    q, k, v = inputs(q_seq=2, kv_seq=5, value_dim=6)
    got = dot_product_attention(q, k, v, at(2), at(5))
    assert got.shape == (2, 2, 4, 6)
    check(got, lambda row: attend(q[row], k[row], v[row]))


def test_a_late_chunk_attends_from_where_it_stands(attend: Callable[..., np.ndarray]) -> None:
    q, k, v = inputs(q_seq=2, kv_seq=5)
    mask = Causal() & SlidingWindow(3)
    got = dot_product_attention(q, k, v, at(2, start=3), at(5), mask=mask)
    check(got, lambda row: attend(q[row], k[row], v[row], lambda i, j: i + 3 - 3 < j <= i + 3))


def test_padding_is_not_seen_with_and_without_a_mask(attend: Callable[..., np.ndarray]) -> None:
    q, k, v = inputs()
    valid = jnp.array([[True, True, True, False], [False, True, True, True]])
    padded = at(4, valid=valid)
    got = dot_product_attention(q, k, v, padded, padded)
    check(got, lambda row: attend(q[row], k[row], v[row], lambda i, j: bool(valid[row, j])))
    got = dot_product_attention(q, k, v, padded, padded, mask=Causal())
    check(
        got,
        lambda row: attend(q[row], k[row], v[row], lambda i, j: bool(valid[row, j]) and j <= i),
    )


def test_documents_do_not_see_each_other(attend: Callable[..., np.ndarray]) -> None:
    q, k, v = inputs()
    segment_ids = jnp.array([[0, 0, 1, 1], [0, 1, 1, 2]])
    packed = at(4, segment_ids=segment_ids)
    got = dot_product_attention(q, k, v, packed, packed)

    def same(row: int) -> Callable[[int, int], bool]:
        return lambda i, j: bool(segment_ids[row, i] == segment_ids[row, j])

    check(got, lambda row: attend(q[row], k[row], v[row], same(row)))


def test_scale_replaces_the_root_and_modifications_follow_it(
    attend: Callable[..., np.ndarray],
) -> None:
    q, k, v = inputs()
    cap = (Modification(SoftCap(cap=0.5)),)
    got = dot_product_attention(q, k, v, at(4), at(4), scale=2.0, modifications=cap)

    def capped(score: float) -> float:
        return 0.5 * float(np.tanh(score / 0.5))

    check(got, lambda row: attend(q[row], k[row], v[row], scale=2.0, change=capped))


class Shifted(ScoreModification, kw_only=True):
    def modify(
        self, scores: jax.Array, parameters: Any, query_at: Coordinates, key_at: Coordinates
    ) -> jax.Array:
        return scores + parameters


class Squared(ScoreModification, kw_only=True):
    def modify(
        self, scores: jax.Array, parameters: Any, query_at: Coordinates, key_at: Coordinates
    ) -> jax.Array:
        return scores * scores


def test_modifications_run_in_order(attend: Callable[..., np.ndarray]) -> None:
    q, k, v = inputs()
    modifications = (Modification(Shifted(), 1.0), Modification(Squared()))
    got = dot_product_attention(q, k, v, at(4), at(4), scale=1.0, modifications=modifications)
    check(
        got,
        lambda row: attend(q[row], k[row], v[row], scale=1.0, change=lambda s: (s + 1.0) ** 2),
    )


def test_a_row_that_sees_nothing_is_zero_with_finite_gradients() -> None:
    q, k, v = inputs()
    padded = at(4, valid=jnp.array([[False, False, True, True], [False] * 4]))

    def total(q: jax.Array, k: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        out = dot_product_attention(q, k, v, padded, padded, mask=Causal())
        return jnp.square(out).sum(), out

    grad = jax.grad(total, argnums=(0, 1, 2), has_aux=True)
    gradients, out = grad(q, k, v)
    assert not out[0, :2].any()
    assert not out[1].any()
    assert out[0, 2:].all()
    for gradient in gradients:
        assert jnp.isfinite(gradient).all()
        assert not gradient[1].any()


def test_dropped_weights_are_not_normalised_again() -> None:
    # All keys look alike and value j is the j-th unit vector: the output shows the weights.
    q, k = jnp.ones((1, 300, 1, 2)), jnp.ones((1, 4, 1, 2))
    v = jnp.eye(4)[None, :, None]
    got = dot_product_attention(
        q, k, v, at(300), at(4), dropout_rate=0.5, dropout_key=jax.random.key(1)
    )
    dropped = np.asarray(got == 0.0)
    assert 0.45 < dropped.mean() < 0.55
    np.testing.assert_allclose(got[~dropped], 0.25 / 0.5, rtol=1e-6)


def test_results_have_the_values_dtype_and_scores_are_float32() -> None:
    q, k, v = (array.astype(jnp.bfloat16) for array in inputs())
    assert dot_product_attention(q, k, v, at(4), at(4)).dtype == jnp.bfloat16
    # 256 and 257 are one number in bfloat16: only float32 scores tell the two keys apart.
    q = jnp.array([[[[256.0, 1.0]]]], jnp.bfloat16)
    k = jnp.array([[[[1.0, 0.0]], [[1.0, 1.0]]]], jnp.bfloat16)
    v = jnp.array([[[[0.0]], [[1.0]]]], jnp.bfloat16)
    got = dot_product_attention(q, k, v, at(1), at(2), scale=1.0)
    assert float(got[0, 0, 0, 0]) == pytest.approx(1.0 / (1.0 + np.exp(-1.0)), rel=2**-8)


def test_softmax_of_huge_scores_is_finite() -> None:
    seen = jnp.array([[True, True, False]])
    got = masked_softmax(jnp.array([[1e30, -1e30, 3e38]]), seen)
    np.testing.assert_array_equal(got, [[1.0, 0.0, 0.0]])


def test_softmax_over_what_is_seen() -> None:
    scores = jnp.array([[0.0, 1.0, 5.0], [2.0, 2.0, 2.0]])
    seen = jnp.array([[True, True, False], [True, True, True]])
    e = np.exp(1.0)
    want = [[1 / (1 + e), e / (1 + e), 0.0], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(masked_softmax(scores, seen), want, rtol=1e-6)
    assert masked_softmax(scores.astype(jnp.bfloat16)).dtype == jnp.float32


def test_dropout_keeps_the_mean() -> None:
    x = jnp.ones((400, 100))
    got = dropout(x, 0.2, jax.random.key(0))
    assert set(np.unique(got)) == {np.float32(0.0), np.float32(1.25)}
    assert float(got.mean()) == pytest.approx(1.0, abs=0.01)


def test_dropout_without_rate_or_key_is_the_identity() -> None:
    x = jnp.ones((2, 2))
    assert dropout(x, 0.0, jax.random.key(0)) is x
    assert dropout(x, 0.5, None) is x


def test_what_does_not_fit_is_refused_by_name() -> None:
    q, k, v = inputs()
    with pytest.raises(TypeError, match=r"argument `key`[^`]*\n  actual:   f32\[2,4,4,2\]"):
        dot_product_attention(q, k[..., :2], v, at(4), at(4))
    with pytest.raises(TypeError, match=r"argument `value`[^`]*\n  actual:   f32\[2,3,4,3\]"):
        dot_product_attention(q, k, v[:, :3], at(4), at(4))
    with pytest.raises(TypeError, match=r"argument `query`.*\n.*Float.*\n  actual:   i32"):
        dot_product_attention(q.astype(jnp.int32), k, v, at(4), at(4))
    with pytest.raises(TypeError, match=r"masked_softmax: argument `visible`.*\n.*Bool"):
        masked_softmax(jnp.ones((2, 2)), jnp.ones((2, 2)))
