"""Layouts with parameters of their own: how they start, and what they refuse."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    MLP,
    Causal,
    Context,
    LayerNorm,
    LayerScale,
    MultiHeadAttention,
    Stack,
    TransformerBlock,
    override,
)
from blocks.residual import (
    AdaptiveNormZero,
    Canon,
    DeepNorm,
    Residual,
    ReZero,
    ScaledResidual,
    StochasticDepth,
    WithoutNorm,
    X0Mix,
    deep_norm_params,
)

X = jax.random.normal(jax.random.key(0), (3, 4, 8))


def block(residual: Residual) -> TransformerBlock:
    return TransformerBlock(
        attention=MLP(hidden=4),
        mlp=MLP(hidden=4),
        norm=LayerNorm(use_scale=False, use_bias=False),
        residual=residual,
    )


@pytest.mark.parametrize("residual", [ReZero(), AdaptiveNormZero()], ids=repr)
def test_a_layer_starts_as_the_identity(residual: Residual) -> None:
    context = Context(condition=jnp.ones((3, 5)))
    got, variables = block(residual).init_with_output(jax.random.key(1), X, context)
    np.testing.assert_array_equal(got, X)
    moved = jax.tree.map(lambda leaf: leaf + 0.1, variables)
    assert float(jnp.abs(block(residual).apply(moved, X, context) - X).max()) > 0.01


def test_a_constant_factor_is_the_one_that_layer_scale_starts_with() -> None:
    constant, learned = (
        block(kind(**fields))
        for kind, fields in [
            (ScaledResidual, {"scale": 0.25}),
            (LayerScale, {"scale_init": nn.initializers.constant(0.25)}),
        ]
    )
    variables = learned.init(jax.random.key(1), X)
    others = {name: own for name, own in variables["params"].items() if name != "residual"}
    got = constant.apply({"params": others}, X)
    np.testing.assert_allclose(got, learned.apply(variables, X), rtol=1e-6)


def test_a_sublayer_without_norm_sees_the_stream_itself() -> None:
    seen = {}

    def sublayer(name: str) -> Callable[[jax.Array], jax.Array]:
        return lambda h: seen.update({name: h}) or jnp.zeros_like(h)

    sublayers = {name: sublayer(name) for name in ("attention", "mlp")}
    WithoutNorm(sublayers=("attention",))(X, sublayers, lambda name: lambda h: -h)
    np.testing.assert_array_equal(seen["attention"], X)
    np.testing.assert_array_equal(seen["mlp"], -X)


def test_x0_mix_starts_without_the_first_embedding() -> None:
    mixed, plain = block(X0Mix()), block(X0Mix().residual)
    variables = mixed.init(jax.random.key(1), X, Context(x0=X))
    others = {name: own for name, own in variables["params"].items() if name != "residual"}
    got = mixed.apply(variables, X, Context(x0=jnp.full_like(X, 7.0)))
    np.testing.assert_array_equal(got, plain.apply({"params": others}, X))


def test_canon_starts_as_the_layout_that_it_holds_and_then_hears_the_token_before() -> None:
    hearing, plain = block(Canon(sublayers=("mlp",))), block(Canon().residual)
    params = hearing.init(jax.random.key(1), X)["params"]
    others = {name: own for name, own in params.items() if name != "residual"}
    np.testing.assert_array_equal(
        hearing.apply({"params": params}, X), plain.apply({"params": others}, X)
    )
    # The sublayers of this block do not mix tokens: only the convolution can carry one further.
    kernel = params["residual"]["mlp_convolution"]["kernel"].at[-2].set(1.0)
    params = {**params, "residual": {"mlp_convolution": {"kernel": kernel}}}
    moved = X.at[:, 1].add(jnp.arange(8.0))
    change = hearing.apply({"params": params}, moved) - hearing.apply({"params": params}, X)
    assert [bool(jnp.abs(change[:, at]).max() > 1e-3) for at in range(4)] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (X0Mix(), r"X0Mix mixes in the first embedding; call with Context\(x0=\.\.\.\)"),
        (AdaptiveNormZero(), r"steered by a condition; call with Context\(condition=\.\.\.\)"),
    ],
    ids=repr,
)
def test_what_a_layout_needs_of_the_call_is_asked_for(residual: Residual, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        block(residual).init(jax.random.key(0), X)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DeepNorm(depth=0), "depth=0 must be at least 1, the layers of the stack"),
        (lambda: StochasticDepth(rate=1.0), "rate=1.0 must be at least 0 and below 1"),
        (lambda: deep_norm_params({"out": {"kernel": X}}, 0), "depth=0 must be at least 1"),
        (lambda: deep_norm_params({"scale": X}, 2), r"no kernel of a value.*in \['scale'\]"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_stochastic_depth_leaves_out_whole_sequences_and_keeps_the_mean() -> None:
    layout = block(StochasticDepth(rate=0.5))
    variables = layout.init(jax.random.key(1), X)
    # The first sublayer adds ones, the second nothing.
    zeros = jax.tree.map(jnp.zeros_like, variables)
    zeros["params"]["attention"]["down"]["bias"] = jnp.ones(8)
    keys = jax.random.split(jax.random.key(2), 300)

    @jax.jit
    @jax.vmap
    def added(key: jax.Array) -> jax.Array:
        return layout.apply(zeros, X, None, False, rngs={"dropout": key}) - X

    runs = np.asarray(added(keys))
    first = runs[:, :, :1, :1]
    np.testing.assert_allclose(runs, np.broadcast_to(first, runs.shape), atol=1e-6)
    assert set(np.unique(first.round(4))) == {0.0, 2.0}
    # 900 draws of variance 1: four standard errors.
    assert abs(first.mean() - 1.0) < 4 / 30
    np.testing.assert_allclose(layout.apply(zeros, X), X + 1.0, rtol=1e-6)


def test_layer_scale_starts_every_feature_at_its_weight() -> None:
    scaled = block(LayerScale(scale_init=nn.initializers.constant(0.0)))
    got, _ = scaled.init_with_output(jax.random.key(1), X)
    np.testing.assert_array_equal(got, X)


@pytest.mark.parametrize("scan", [False, True])
def test_deep_norm_starts_what_feeds_the_sum_smaller(scan: bool) -> None:
    layer = TransformerBlock(
        attention=MultiHeadAttention(num_heads=2, mask=Causal()),
        mlp=MLP(hidden=4),
        residual=DeepNorm(depth=2),
    )
    params = Stack(block=layer, depth=2, scan=scan).init(jax.random.key(0), X)["params"]
    new = deep_norm_params(params, depth=2)
    ratios = jax.tree.map(lambda a, b: float(jnp.abs(a).sum() / jnp.abs(b).sum()), new, params)
    own = ratios["layers"] if scan else ratios["layer_1"]
    # (8 * 2) ** -0.25
    for smaller in (own["attention"]["value"], own["attention"]["out"], own["mlp"]["up"]):
        assert smaller["kernel"] == pytest.approx(0.5)
    assert own["attention"]["query"]["kernel"] == 1.0
    assert own["attention"]["key"]["kernel"] == 1.0


def test_a_layout_is_left_out_of_the_expression_where_it_is_the_default() -> None:
    assert "residual" not in repr(TransformerBlock(attention=MLP(hidden=4), mlp=MLP(hidden=4)))
    assert "residual=ReZero()" in repr(override(block(ReZero()), hidden=5))
