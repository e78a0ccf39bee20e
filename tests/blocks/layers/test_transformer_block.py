"""The transformer block: its parts in their places, and dropout on each sublayer."""

from typing import Any

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
    MultiHeadAttention,
    PostNorm,
    PreNorm,
    RMSNorm,
    TransformerBlock,
)
from blocks.residual import Residual

EMBED = 4
X = jax.random.normal(jax.random.key(0), (2, 3, EMBED))
ATTENTION, MLP_ = MultiHeadAttention(num_heads=2, mask=Causal()), MLP(hidden=6)


def block(**fields: Any) -> TransformerBlock:
    return TransformerBlock(**{"attention": ATTENTION, "mlp": MLP_, **fields})


def noisy(params: Any) -> Any:
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(5), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


@pytest.mark.parametrize("residual", [PreNorm(), PostNorm()], ids=repr)
@pytest.mark.parametrize("norm", [LayerNorm(), RMSNorm(epsilon=0.1)], ids=repr)
def test_is_its_parts_put_together(residual: Residual, norm: Any) -> None:
    whole = block(norm=norm, residual=residual)
    params = noisy(jax.eval_shape(whole.init, jax.random.key(1), X)["params"])
    assert set(params) == {"attention", "attention_norm", "mlp", "mlp_norm"}

    def part(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
        return module.apply({"params": params[name]}, x)

    want = X
    for module, name in ((ATTENTION, "attention"), (MLP_, "mlp")):
        if residual == PreNorm():
            want = want + part(module, name, part(norm, f"{name}_norm", want))
        else:
            want = part(norm, f"{name}_norm", want + part(module, name, want))
    np.testing.assert_allclose(whole.apply({"params": params}, X), want, rtol=1e-5, atol=1e-5)


def test_the_norm_is_a_template_of_two() -> None:
    params = jax.eval_shape(block().init, jax.random.key(0), X)["params"]
    assert jax.tree.map(jnp.shape, params["attention_norm"]) == {
        "scale": (EMBED,),
        "bias": (EMBED,),
    }
    assert set(params["mlp_norm"]) == {"scale", "bias"}


def test_context_reaches_the_attention() -> None:
    whole = block()
    params = noisy(jax.eval_shape(whole.init, jax.random.key(1), X)["params"])
    valid = jnp.array([[False, True, True]] * 2)
    got = whole.apply({"params": params}, X, Context(valid=valid))
    alone = whole.apply({"params": params}, X[:, 1:])
    np.testing.assert_allclose(got[:, 1:], alone, rtol=1e-5, atol=1e-5)


def test_each_sublayers_output_is_dropped_on_its_own() -> None:
    class Ones(nn.Module):
        size: float

        @nn.compact
        def __call__(self, x: jax.Array, context: object, deterministic: bool) -> jax.Array:
            return jnp.full_like(x, self.size)

    whole = TransformerBlock(attention=Ones(1.0), mlp=Ones(10.0), dropout_rate=0.5)
    x = jnp.zeros((1, 100, 8))
    rngs = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    got, _ = whole.init_with_output(rngs, x, None, False)
    # Twice 1 or nothing, and twice 10 or nothing, independently of each other.
    values, counts = np.unique(got, return_counts=True)
    np.testing.assert_array_equal(values, [0.0, 2.0, 20.0, 22.0])
    assert (abs(counts / got.size - 0.25) < 0.06).all()


def test_the_stream_keeps_its_dtype() -> None:
    for dtype in (jnp.float32, jnp.bfloat16):
        whole = block(norm=LayerNorm(dtype=jnp.float32))
        got, _ = whole.init_with_output(jax.random.key(0), X.astype(dtype))
        assert got.dtype == dtype


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"dropout_rate={rate} must be at least 0 and below 1"):
        block(dropout_rate=rate)


def test_what_does_not_fit_is_refused_by_name() -> None:
    whole, key = block(), jax.random.key(0)
    with pytest.raises(TypeError, match=r"TransformerBlock: argument `x`.*\n.*\n.*f32\[3,4\]"):
        whole.init(key, X[0])
    with pytest.raises(TypeError, match=r"TransformerBlock: argument `x`.*\n.*Float.*\n.*i32"):
        whole.init(key, X.astype(jnp.int32))
    with pytest.raises(TypeError, match=r"argument `deterministic`.*\n.*bool\n  actual:   1"):
        whole.init(key, X, None, 1)
