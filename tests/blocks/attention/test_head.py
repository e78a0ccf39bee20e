"""The single head: its formula, its mask, and its place in multi-head attention."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import AttentionHead, Causal, Context, MultiHeadAttention, SlidingWindow

EMBED, DIM, SEQ = 6, 3, 4


def start(**fields: Any) -> tuple[AttentionHead, jax.Array, dict[str, Any]]:
    head = AttentionHead(head_dim=DIM, **fields)
    x = normal(0, (2, SEQ, EMBED))
    leaves, tree = jax.tree.flatten(drawn_variables(head, x, seed=1)["params"])
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return head, x, jax.tree.unflatten(tree, drawn)


def projected(params: dict[str, Any], x: jax.Array) -> list[np.ndarray]:
    """Query, key and value of one row, with an axis for the one head."""
    row = np.asarray(x, np.float64)
    return [
        (
            row @ np.asarray(params[name]["kernel"], np.float64)
            + np.asarray(params[name].get("bias", np.zeros(DIM)), np.float64)
        )[:, None]
        for name in ("query", "key", "value")
    ]


@pytest.mark.parametrize("use_bias", [False, True])
def test_every_token_sees_every_token_without_a_mask(
    attend: Callable[..., np.ndarray], use_bias: bool
) -> None:
    head, x, params = start(use_bias=use_bias)
    got = jitted(head, {"params": params}, x)
    for row in range(2):
        want = attend(*projected(params, x[row]))[:, 0]
        np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)


def test_a_mask_and_padding_both_hold(attend: Callable[..., np.ndarray]) -> None:
    head, x, params = start(mask=Causal() & SlidingWindow(2))
    valid = jnp.array([[True, True, False, True], [True, True, True, True]])
    got = jitted(head, {"params": params}, x, Context(positions=jnp.arange(SEQ)[None], valid=valid))
    for row in range(2):
        want = attend(
            *projected(params, x[row]),
            lambda i, j, row=row: i - 2 < j <= i and bool(valid[row, j]),
        )
        np.testing.assert_allclose(got[row], want[:, 0], rtol=1e-5, atol=1e-5)


def test_heads_side_by_side_are_multi_head_attention_before_its_projection() -> None:
    attention = MultiHeadAttention(num_heads=2, head_dim=DIM, mask=Causal())
    _, x, _ = start()
    params = drawn_variables(attention, x, seed=1)["params"]
    head = AttentionHead(head_dim=DIM, mask=Causal(), use_bias=True)
    side_by_side = [
        jitted(
            head,
            {
                "params": {
                    name: {
                        "kernel": params[name]["kernel"][:, h],
                        "bias": params[name]["bias"][h],
                    }
                    for name in ("query", "key", "value")
                }
            },
            x,
        )
        for h in range(2)
    ]
    kernel = params["out"]["kernel"].reshape(2 * DIM, EMBED)
    want = jnp.concatenate(side_by_side, axis=-1) @ kernel + params["out"]["bias"][None, None]
    got = jitted(attention, {"params": params}, x)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_weights_are_dropped_after_the_softmax() -> None:
    head = AttentionHead(head_dim=1, dropout_rate=0.5, use_bias=True)
    x = jnp.ones((1, 200, 2))
    params = drawn_variables(head, x)["params"]
    params["value"] = {"kernel": jnp.zeros((2, 1)), "bias": jnp.ones(1)}
    rngs = {"dropout": jax.random.key(1)}
    got = jitted(head, {"params": params}, x, None, False, rngs=rngs)
    # 200 weights of 1/200, kept with probability a half and doubled: mean 1, deviation 1/sqrt(200).
    assert float(got.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(got.std()) == pytest.approx(200**-0.5, rel=0.3)
    np.testing.assert_allclose(
        jitted(head, {"params": params}, x), jnp.ones((1, 200, 1)), rtol=1e-5
    )


def test_a_token_that_sees_nothing_gets_zeros() -> None:
    head, x, params = start(mask=Causal())
    valid = jnp.array([[False, True, True, True], [False, False, False, False]])

    def total(params: Any) -> tuple[jax.Array, jax.Array]:
        out = head.apply({"params": params}, x, Context(valid=valid))
        return out.sum(), out

    gradients, out = jax.jit(jax.grad(total, has_aux=True))(params)
    assert not out[0, 0].any()
    assert not out[1].any()
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize(
    ("mask", "ahead"), [(None, True), (SlidingWindow(2), True), (Causal(), False)]
)
def test_sees_ahead_unless_the_mask_is_causal(mask: Any, ahead: bool) -> None:
    assert AttentionHead(head_dim=2, mask=mask).sees_ahead is ahead


def test_a_cache_is_refused() -> None:
    head, x, params = start(mask=Causal())
    with pytest.raises(ValueError, match=r"AttentionHead keeps no cache; use MultiHeadAttention"):
        head.apply({"params": params}, x, Context(cache_size=4))


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"head_dim={size} must be at least 1; 64 is usual"):
        AttentionHead(head_dim=size)


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"dropout_rate={rate} must be at least 0 and below 1"):
        AttentionHead(head_dim=2, dropout_rate=rate)


def test_a_wrong_rank_and_dtype_are_refused() -> None:
    head, x, params = start()
    with pytest.raises(TypeError, match=r"AttentionHead: argument `x`.*\n.*\n  actual:   f32\[4,6"):
        head.apply({"params": params}, x[0])
    with pytest.raises(TypeError, match=r"AttentionHead: argument `x`.*\n.*Float.*\n.*i32"):
        head.apply({"params": params}, x.astype(jnp.int32))
