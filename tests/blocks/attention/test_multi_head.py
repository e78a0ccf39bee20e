"""Multi-head attention against loops in float64, with every slot filled."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    Biases,
    Causal,
    Context,
    MultiHeadAttention,
    Normal,
    RoPE,
    SlidingWindow,
    SoftCap,
    dot_product_attention,
)
from blocks.attention import AttentionInputs, QKTransform, SoftmaxOne
from blocks.attention.masks import Mask
from blocks.core import VarianceScaling

EMBED, HEADS, SEQ = 8, 4, 5
NAMES = ("query", "key", "value")


def start(**fields: Any) -> tuple[MultiHeadAttention, jax.Array, dict[str, Any]]:
    """A block, an input, and parameters none of which is zero."""
    block = MultiHeadAttention(**{"num_heads": HEADS, **fields})
    x = normal(0, (2, SEQ, EMBED))
    leaves, tree = jax.tree.flatten(jax.eval_shape(block.init, jax.random.key(1), x)["params"])
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [
        0.5 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)
    ]
    return block, x, jax.tree.unflatten(tree, drawn)


def project(params: dict[str, Any], name: str, x: jax.Array) -> np.ndarray:
    kernel = np.asarray(params[name]["kernel"], np.float64)
    bias = np.asarray(params[name].get("bias", np.zeros(kernel.shape[1:])), np.float64)
    return np.einsum("te,ehd->thd", np.asarray(x, np.float64), kernel) + bias


def finish(params: dict[str, Any], mixed: np.ndarray) -> np.ndarray:
    kernel = np.asarray(params["out"]["kernel"], np.float64)
    bias = np.asarray(params["out"].get("bias", np.zeros(kernel.shape[2])), np.float64)
    return np.einsum("thd,hde->te", mixed, kernel) + bias


def check(got: jax.Array, want: Callable[[int], np.ndarray]) -> None:
    for row in range(got.shape[0]):
        np.testing.assert_allclose(got[row], want(row), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kv_heads", [None, 2, 1])
@pytest.mark.parametrize("mask", [None, Causal(), Causal() & SlidingWindow(2)], ids=repr)
def test_is_its_formula(
    attend: Callable[..., np.ndarray], kv_heads: int | None, mask: Mask | None
) -> None:
    block, x, params = start(num_kv_heads=kv_heads, mask=mask)

    def seen(i: int, j: int) -> bool:
        return mask is None or (j <= i and ("Sliding" not in repr(mask) or i - j < 2))

    def want(row: int) -> np.ndarray:
        q, k, v = (project(params, name, x[row]) for name in NAMES)
        return finish(params, attend(q, k, v, seen))

    check(jitted(block, {"params": params}, x), want)


def test_padding_and_documents_hold(attend: Callable[..., np.ndarray]) -> None:
    block, x, params = start(mask=Causal())
    valid = jnp.array([[True, True, True, True, False], [False, True, True, True, True]])
    segment_ids = jnp.array([[0, 0, 1, 1, 1], [0, 0, 0, 1, 1]])

    def want(row: int) -> np.ndarray:
        q, k, v = (project(params, name, x[row]) for name in NAMES)
        seen = attend(
            q,
            k,
            v,
            lambda i, j: (
                j <= i and bool(valid[row, j]) and bool(segment_ids[row, i] == segment_ids[row, j])
            ),
        )
        return finish(params, seen)

    check(jitted(block, {"params": params}, x, Context(valid=valid, segment_ids=segment_ids)), want)


def test_head_dim_need_not_divide_the_width() -> None:
    block, x, params = start(num_heads=3, head_dim=5, num_kv_heads=1)
    shapes = jax.tree.map(jnp.shape, params)
    assert shapes == {
        "query": {"kernel": (EMBED, 3, 5), "bias": (3, 5)},
        "key": {"kernel": (EMBED, 1, 5), "bias": (1, 5)},
        "value": {"kernel": (EMBED, 1, 5), "bias": (1, 5)},
        "out": {"kernel": (3, 5, EMBED), "bias": (EMBED,)},
    }
    assert jitted(block, {"params": params}, x).shape == x.shape


@pytest.mark.parametrize(
    ("use_bias", "names"),
    [
        (True, {"query", "key", "value", "out"}),
        (False, set()),
        (Biases(key=False), {"query", "value", "out"}),
        (Biases(query=False, value=False, out=False), {"key"}),
    ],
)
def test_biases_are_learned_where_asked(use_bias: bool | Biases, names: set[str]) -> None:
    _, _, params = start(use_bias=use_bias)
    assert {name for name, own in params.items() if "bias" in own} == names


def test_scale_replaces_the_root(attend: Callable[..., np.ndarray]) -> None:
    block, x, params = start(scale=0.1)
    want = [
        finish(params, attend(*(project(params, name, row) for name in NAMES), scale=0.1))
        for row in x
    ]
    check(jitted(block, {"params": params}, x), lambda row: want[row])


def test_score_modifications_run_in_order(attend: Callable[..., np.ndarray]) -> None:
    caps = (SoftCap(cap=2.0), SoftCap(cap=0.5, name="last_cap"))
    block, x, params = start(scores=caps)

    def want(row: int) -> np.ndarray:
        q, k, v = (project(params, name, x[row]) for name in NAMES)

        def change(score: float) -> float:
            return 0.5 * float(np.tanh(2.0 * np.tanh(score / 2.0) / 0.5))

        return finish(params, attend(q, k, v, change=change))

    check(jitted(block, {"params": params}, x), want)


class Doubled(QKTransform, kw_only=True):
    """Doubles the first feature of queries, so that its order among rotations matters."""

    def __call__(
        self, query: jax.Array, key: jax.Array, inputs: AttentionInputs
    ) -> tuple[jax.Array, jax.Array]:
        return query.at[..., 0].multiply(2.0), key


def test_changes_of_queries_and_keys_run_in_order_and_position_comes_last() -> None:
    rope = RoPE(theta=10.0)
    block, x, params = start(position=rope, qk=(Doubled(),))
    spelled_out, *_ = start(qk=(Doubled(), rope))
    swapped, *_ = start(qk=(rope, Doubled()))
    got = jitted(block, {"params": params}, x)
    np.testing.assert_array_equal(got, jitted(spelled_out, {"params": params}, x))
    assert float(jnp.abs(got - jitted(swapped, {"params": params}, x)).max()) > 1e-3


def test_rotation_makes_the_order_of_keys_matter() -> None:
    x = start()[1]
    mixed = x[:, jnp.array([1, 0, 2, 3, 4])]
    for position, changes in ((None, False), (RoPE(), True)):
        block, _, params = start(position=position)
        last = jitted(block, {"params": params}, x)[:, -1]
        moved = jitted(block, {"params": params}, mixed)[:, -1]
        assert (float(jnp.abs(last - moved).max()) > 1e-3) is changes


def test_positions_of_the_context_move_the_rotation_by_distance_only() -> None:
    block, x, params = start(position=RoPE(), mask=Causal())
    base = jnp.arange(SEQ)[None]
    plain = jitted(block, {"params": params}, x)
    shifted = jitted(block, {"params": params}, x, Context(positions=base + 100))
    np.testing.assert_allclose(shifted, plain, rtol=1e-4, atol=1e-4)
    spread = jitted(block, {"params": params}, x, Context(positions=base * 3))
    assert float(jnp.abs(spread - plain).max()) > 1e-3


def test_the_implementation_is_a_slot_and_gets_what_the_fields_say() -> None:
    calls = []

    def recording(*arrays: Any, **options: Any) -> jax.Array:
        calls.append(options)
        return dot_product_attention(*arrays, **options)

    mask = Causal()
    block, x, params = start(
        implementation=recording,
        mask=mask,
        scale=0.5,
        scores=(SoftCap(cap=9.0),),
        sinks=SoftmaxOne(),
        dropout_rate=0.25,
    )
    calls.clear()
    block.apply({"params": params}, x)
    block.apply({"params": params}, x, None, False, rngs={"dropout": jax.random.key(0)})
    still, dropping = calls
    assert (still["mask"], still["scale"], len(still["modifications"])) == (mask, 0.5, 1)
    np.testing.assert_array_equal(still["sinks"], jnp.zeros(block.num_heads))
    assert (still["dropout_rate"], still["dropout_key"]) == (0.0, None)
    assert dropping["dropout_rate"] == 0.25
    assert dropping["dropout_key"] is not None


def test_every_head_drops_weights_of_its_own() -> None:
    block = MultiHeadAttention(num_heads=2, dropout_rate=0.5, use_bias=False)
    x = jnp.ones((1, 6, 4))
    params = drawn_variables(block, x)["params"]
    params["value"]["kernel"] = jnp.ones((4, 2, 2))
    params["out"]["kernel"] = jnp.eye(4).reshape(2, 2, 4)
    rngs = {"dropout": jax.random.key(1)}
    got = jitted(block, {"params": params}, x, None, False, rngs=rngs)
    assert not np.array_equal(got[..., 0], got[..., 2])


def test_a_token_that_sees_nothing_gets_the_output_bias() -> None:
    block, x, params = start(mask=Causal())
    valid = jnp.array([[False, True, True, True, True], [False] * SEQ])

    def total(params: Any) -> tuple[jax.Array, jax.Array]:
        out = block.apply({"params": params}, x, Context(valid=valid))
        return out.sum(), out

    gradients, out = jax.jit(jax.grad(total, has_aux=True))(params)
    np.testing.assert_array_equal(out[0, 0], params["out"]["bias"])
    np.testing.assert_array_equal(out[1], jnp.tile(params["out"]["bias"], (SEQ, 1)))
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_kernels_start_by_their_fan_in() -> None:
    x = jnp.ones((1, 1, 64))
    block = MultiHeadAttention(num_heads=16, head_dim=32)
    params = block.init(jax.random.key(0), x)["params"]
    for name in NAMES:
        assert float(params[name]["kernel"].std()) == pytest.approx(64**-0.5, rel=0.03)
    assert float(params["out"]["kernel"].std()) == pytest.approx((16 * 32) ** -0.5, rel=0.03)


def test_the_output_projection_may_start_differently() -> None:
    _, x, _ = start()
    block = MultiHeadAttention(
        num_heads=HEADS, kernel_init=Normal(1.0), out_kernel_init=nn.initializers.zeros
    )
    params = block.init(jax.random.key(0), x)["params"]
    assert not params["out"]["kernel"].any()
    assert all(params[name]["kernel"].all() for name in NAMES)
    scaled = MultiHeadAttention(num_heads=HEADS, kernel_init=VarianceScaling(0.0))
    assert not scaled.init(jax.random.key(0), x)["params"]["out"]["kernel"].any()


def test_dtype_is_of_the_computation() -> None:
    block, x, params = start(dtype=jnp.bfloat16)
    assert jitted(block, {"params": params}, x).dtype == jnp.bfloat16
    half, *_ = start(param_dtype=jnp.bfloat16)
    got, variables = half.init_with_output(jax.random.key(0), x.astype(jnp.bfloat16))
    assert got.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("mask", "ahead"), [(None, True), (SlidingWindow(2), True), (Causal(), False)]
)
def test_sees_ahead_unless_the_mask_is_causal(mask: Any, ahead: bool) -> None:
    assert MultiHeadAttention(num_heads=2, mask=mask).sees_ahead is ahead
