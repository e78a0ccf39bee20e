"""Layouts of several streams: what they start as, what they combine with, what is refused."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import MLP, Context, LayerScale, PreNorm, RMSNorm, Stack, TransformerBlock, find
from blocks.layers import stack_layers
from blocks.residual import HyperConnections, ResiDual, Residual, StochasticDepth, Streams, X0Mix
from blocks.residual.hyper_connections import one_stream
from blocks.residual.stream_layout import StreamResidual

EMBED = 6
X = normal(0, (2, 3, EMBED))
HYPER, TWO = HyperConnections(num_streams=3), HyperConnections(num_streams=2)


def layer(residual: Residual) -> TransformerBlock:
    attention, mlp = MLP(hidden=4), MLP(hidden=5)
    return TransformerBlock(attention=attention, mlp=mlp, norm=RMSNorm(), residual=residual)


def streams(residual: Residual, **fields: Any) -> Streams:
    norm = RMSNorm() if find(residual, ResiDual) else None
    return Streams(stack=Stack(**{"block": layer(residual), "depth": 2, **fields}), norm=norm)


def noisy(block: Any) -> Any:
    leaves, tree = jax.tree.flatten(drawn_variables(block, X, seed=1))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [
        leaf + 0.3 * jax.random.normal(key, leaf.shape)
        for leaf, key in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(tree, moved)


def without(tree: Any, *names: str) -> Any:
    """Parameters without those of some names, at any depth."""
    if not isinstance(tree, dict):
        return tree
    return {k: without(v, *names) for k, v in tree.items() if not k.endswith(names)}


@pytest.mark.parametrize("mixed", [False, True], ids=["plain", "x0_mix"])
def test_hyper_connections_start_as_pre_norm_in_every_stream(mixed: bool) -> None:
    def wrap(residual: Residual) -> Residual:
        return X0Mix(residual=residual) if mixed else residual

    hyper, plain = streams(wrap(HYPER)), Stack(block=layer(wrap(PreNorm())), depth=2)
    context = Context(x0=2.0 * X)
    params = jax.jit(hyper.init)(jax.random.key(1), X, context)["params"]
    if mixed:
        for own in params["stack"].values():
            own["residual"]["first"] = jnp.float32(0.5)
    got = jax.jit(hyper.apply)({"params": params}, X, context)
    same = without(params["stack"], "streams_norm", *(() if mixed else ("residual",)))
    want = jax.jit(plain.apply)({"params": same}, X, context)
    np.testing.assert_allclose(got, 3.0 * want, rtol=2e-5, atol=2e-5)


def test_a_sublayer_reads_one_stream_at_first_and_not_all_the_same() -> None:
    keys = jax.random.split(jax.random.key(0), 40)
    drawn = np.asarray(jax.vmap(lambda key: one_stream(key, (4,)))(keys))
    np.testing.assert_array_equal(np.sort(drawn, axis=-1), np.tile([0.0, 0.0, 0.0, 1.0], (40, 1)))
    assert (drawn.sum(axis=0) > 0).all()
    params = jax.jit(streams(HYPER, depth=20, scan=True).init)(jax.random.key(0), X)["params"]
    alpha = params["stack"]["layers"]["residual"]["attention"]["alpha"]
    assert (alpha[:, :, 0].sum(axis=0) > 0).all()
    np.testing.assert_array_equal(alpha[:, :, 1:], np.tile(np.eye(3), (20, 1, 1)))


def test_a_plain_sum_of_resi_dual_is_what_came_in_and_what_was_added() -> None:
    residual = ResiDual()
    variables = noisy(streams(residual, depth=1))
    own = variables["params"]["stack"]["layer_0"]
    folded = jitted(layer(residual), {"params": own}, jnp.tile(X, (1, 1, 2)), Context(streams=2))
    first = jitted(MLP(hidden=4), {"params": own["attention"]}, X)
    read = jitted(RMSNorm(), {"params": own["attention_norm"]}, X + first)
    second = jitted(MLP(hidden=5), {"params": own["mlp"]}, read)
    np.testing.assert_allclose(folded[:, :, EMBED:], X + first + second, rtol=1e-5, atol=1e-5)


LAYOUTS = [HYPER, ResiDual()]


@pytest.mark.parametrize("residual", LAYOUTS, ids=repr)
def test_scan_and_remat_change_nothing(residual: Residual) -> None:
    variables = noisy(streams(residual))
    scanned = {**variables["params"], "stack": stack_layers(variables["params"]["stack"])}

    def value_and_gradient(params: Any, **fields: Any) -> tuple[jax.Array, jax.Array]:
        block = streams(residual, **fields)
        return jax.jit(jax.value_and_grad(lambda x: block.apply({"params": params}, x).sum()))(X)

    want = value_and_gradient(variables["params"])
    got = value_and_gradient(scanned, scan=True, remat=True)
    chex.assert_trees_all_close(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("residual", LAYOUTS, ids=repr)
def test_a_layer_scale_weighs_the_features_of_one_stream(residual: Residual) -> None:
    scaled, plain = streams(LayerScale(residual=residual)), streams(residual)
    variables = noisy(scaled)
    # The weight of what a projection gives is a weight of its columns.
    same = {}
    for name, own in variables["params"]["stack"].items():
        scales = own["residual"]
        same[name] = {**own, "residual": scales.get("residual", {})}
        for part in ("attention", "mlp"):
            scale = scales[f"{part}_scale"]
            assert scale.shape == (EMBED,)
            down = {
                "kernel": own[part]["down"]["kernel"] * scale[None],
                "bias": own[part]["down"]["bias"] * scale,
            }
            same[name][part] = {**own[part], "down": down}
    want = jitted(plain, {"params": {**variables["params"], "stack": same}}, X)
    np.testing.assert_allclose(jitted(scaled, variables, X), want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("residual", LAYOUTS, ids=repr)
def test_stochastic_depth_may_leave_out_every_sublayer(residual: Residual) -> None:
    rare = streams(StochasticDepth(residual=residual, rate=0.999))
    variables = jax.jit(rare.init)(jax.random.key(1), X)
    got = rare.apply(variables, X, None, False, rngs={"dropout": jax.random.key(0)})
    # Without sublayers the streams stay what they were, norms of the post-norm stream aside.
    if isinstance(residual, HyperConnections):
        np.testing.assert_allclose(got, 3.0 * X, rtol=1e-5)
    else:
        unit = X / jnp.sqrt(jnp.square(X).mean(axis=-1, keepdims=True))
        np.testing.assert_allclose(got, 2.0 * unit, rtol=1e-4)


@pytest.mark.parametrize(
    ("residual", "carries"),
    [(HYPER, 3), (StochasticDepth(residual=HYPER, rate=0.1), 3), (ResiDual(), 2), (PreNorm(), 1)],
    ids=repr,
)
def test_a_layout_says_how_many_streams_it_carries(residual: Residual, carries: int) -> None:
    assert residual.streams == carries


@pytest.mark.parametrize("context", [None, Context(), Context(streams=6)], ids=repr)
@pytest.mark.parametrize("residual", LAYOUTS, ids=repr)
def test_a_layout_without_its_container_is_refused(residual: Any, context: Any) -> None:
    has = 1 if context is None else context.streams
    match = rf"carries {residual.streams} streams.*the call has {has}; put the layers into Streams"
    with pytest.raises(ValueError, match=match):
        Stack(block=layer(residual), depth=1).init(
            jax.random.key(0), jnp.tile(X, (1, 1, 6)), context
        )


def test_a_layout_says_that_it_leaves_no_result() -> None:
    class Two(StreamResidual, kw_only=True):
        @property
        def streams(self) -> int:
            return 2

        def __call__(self, x: jax.Array, *_: object) -> jax.Array:
            return x

    with pytest.raises(TypeError, match="Two leaves no result: give it a method `reduce`"):
        Streams(stack=layer(Two())).init(jax.random.key(0), X)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HyperConnections(num_streams=1), "num_streams=1 must be at least 2; PreNorm"),
        (lambda: Streams(stack=layer(PreNorm())), "no layer of stack carries more than one"),
        (
            lambda: Streams(stack=Stack(block=(layer(PreNorm()), layer(HYPER)), depth=2)),
            r"stack\.block_1\.residual=HyperConnections\(num_streams=3\) and "
            r"stack\.block_0\.residual=PreNorm\(\) differ in the streams that they carry, 3 and 1",
        ),
        (
            lambda: Streams(stack=Stack(block=(layer(TWO), layer(ResiDual())), depth=2)),
            "differ in the streams that they carry, 2 and 2; use one for all",
        ),
        (
            lambda: Streams(stack=layer(ResiDual())),
            r"norm=None leaves no norm for the sum of ResiDual\(\); give one",
        ),
        (
            lambda: Streams(stack=layer(HYPER), norm=RMSNorm()),
            r"norm=RMSNorm\(\) is not used by HyperConnections\(num_streams=3\); leave it out",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("residual", [HyperConnections(num_streams=2), ResiDual()], ids=repr)
def test_no_tokens_give_no_results(residual: StreamResidual) -> None:
    layer = TransformerBlock(attention=MLP(hidden=4), mlp=MLP(hidden=4), residual=residual)
    norm = RMSNorm() if residual.normalizes else None
    streams = Streams(stack=Stack(block=layer, depth=1), norm=norm)
    variables = jax.eval_shape(streams.init, jax.random.key(0), jnp.ones((2, 3, 8)))
    y = jax.eval_shape(lambda v: streams.apply(v, jnp.ones((2, 0, 8))), variables)
    assert y.shape == (2, 0, 8)
