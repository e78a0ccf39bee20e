"""Skips across a stack: which layer hears which, and what is refused."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import jitted, normal

from blocks import MLP, Block, Context, RMSNorm, SkipStack, Stack, TransformerBlock
from blocks.residual import HyperConnections, Streams

X = normal(0, (2, 3, 4))


class Plus(Block, kw_only=True):
    """Adds a learned number, then multiplies."""

    factor: float

    @nn.compact
    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> jax.Array:
        number = self.param("number", nn.initializers.normal(1.0), (), jnp.float32)
        return self.factor * (x + number[None, None, None])


def test_the_last_layer_hears_the_first_and_the_middle_of_five_none() -> None:
    stack = SkipStack(block=(Plus(factor=2.0), Plus(factor=3.0)), depth=5)
    params: dict[str, Any] = {f"layer_{i}": {"number": jnp.float32(10.0**i)} for i in range(5)}
    params["skip_weights"] = jnp.array([0.5, 7.0])
    x = np.asarray(X, np.float64)
    zero = 2.0 * (x + 1.0)
    one = 3.0 * (zero + 10.0)
    two = 2.0 * (one + 100.0)
    three = 3.0 * (two + 0.5 * one + 1000.0)
    want = 2.0 * (three + 7.0 * zero + 10000.0)
    np.testing.assert_allclose(jitted(stack, {"params": params}, X), want, rtol=1e-5)


def test_without_weights_it_is_a_stack() -> None:
    stack = SkipStack(block=MLP(hidden=5), depth=4, weight_init=nn.initializers.zeros)
    params = jax.jit(stack.init)(jax.random.key(0), X)["params"]
    assert params["skip_weights"].shape == (2,)
    same = {name: own for name, own in params.items() if name != "skip_weights"}
    want = Stack(block=MLP(hidden=5), depth=4).apply({"params": same}, X)
    np.testing.assert_array_equal(stack.apply({"params": params}, X), want)


@pytest.mark.parametrize(
    "remat", [True, jax.checkpoint_policies.dots_saveable], ids=["all", "dots"]
)
def test_remat_changes_no_gradient(remat: Any) -> None:
    def gradient(remat: Any) -> jax.Array:
        stack = SkipStack(block=(MLP(hidden=5), MLP(hidden=6)), depth=3, remat=remat)
        variables = jax.jit(stack.init)(jax.random.key(1), X)
        return jax.jit(jax.grad(lambda x: jnp.square(stack.apply(variables, x)).sum()))(X)

    np.testing.assert_allclose(gradient(remat), gradient(False), rtol=1e-5, atol=1e-5)


def test_skips_run_in_every_stream() -> None:
    attention, mlp, hyper = MLP(hidden=4), MLP(hidden=4), HyperConnections(num_streams=2)
    plain = TransformerBlock(attention=attention, mlp=mlp, norm=RMSNorm())
    wide = plain.clone(residual=hyper)
    streams = Streams(stack=SkipStack(block=wide, depth=2))
    params = jax.jit(streams.init)(jax.random.key(0), X)["params"]["stack"]
    same = {
        name: {k: v for k, v in own.items() if k != "residual" and not k.endswith("streams_norm")}
        for name, own in params.items()
        if name != "skip_weights"
    }
    same["skip_weights"] = params["skip_weights"]
    want = 2.0 * SkipStack(block=plain, depth=2).apply({"params": same}, X)
    got = streams.apply({"params": {"stack": params}}, X)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth=1 must be at least 2, one layer for each half\."):
        SkipStack(block=MLP(hidden=4), depth=1)
    with pytest.raises(ValueError, match=r"block=\(\) holds no layer; give at least one\."):
        SkipStack(block=(), depth=2)
