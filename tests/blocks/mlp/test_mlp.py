"""MLPs against loops in float64."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import MLP, GatedMLP, Normal, gelu

EMBED, HIDDEN = 4, 6


def start(mlp: nn.Module) -> tuple[jax.Array, dict[str, dict[str, jax.Array]]]:
    """An input, and parameters none of which is zero."""
    x = jax.random.normal(jax.random.key(0), (2, 3, EMBED))
    leaves, tree = jax.tree.flatten(mlp.init(jax.random.key(1), x)["params"])
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return x, jax.tree.unflatten(tree, drawn)


def linear(params: dict[str, jax.Array], x: np.ndarray) -> np.ndarray:
    kernel = np.asarray(params["kernel"], np.float64)
    return x @ kernel + np.asarray(params.get("bias", np.zeros(kernel.shape[1])), np.float64)


def exact_gelu(x: float) -> float:
    return x * (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def test_gelu_is_exact() -> None:
    x = np.linspace(-6.0, 6.0, 241)
    want = [exact_gelu(float(value)) for value in x]
    np.testing.assert_allclose(gelu(jnp.asarray(x, jnp.float32)), want, atol=1e-6)


def test_gelu_is_not_its_tanh_approximation() -> None:
    x = jnp.linspace(-3.0, 3.0, 61)
    assert float(jnp.abs(gelu(x) - jax.nn.gelu(x, approximate=True)).max()) > 1e-4


@pytest.mark.parametrize("use_bias", [True, False])
def test_mlp_is_its_formula(use_bias: bool) -> None:
    mlp = MLP(hidden=HIDDEN, use_bias=use_bias)
    x, params = start(mlp)
    assert ("bias" in params["up"], "bias" in params["down"]) == (use_bias, use_bias)
    hidden = np.vectorize(exact_gelu)(linear(params["up"], np.asarray(x, np.float64)))
    want = linear(params["down"], hidden)
    np.testing.assert_allclose(mlp.apply({"params": params}, x), want, rtol=1e-5, atol=1e-5)


def test_the_activation_is_a_slot() -> None:
    mlp = MLP(hidden=HIDDEN, activation=nn.relu)
    x, params = start(mlp)
    hidden = np.maximum(linear(params["up"], np.asarray(x, np.float64)), 0.0)
    want = linear(params["down"], hidden)
    np.testing.assert_allclose(mlp.apply({"params": params}, x), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("use_bias", [True, False])
def test_gated_mlp_is_its_formula(use_bias: bool) -> None:
    mlp = GatedMLP(hidden=HIDDEN, use_bias=use_bias)
    x, params = start(mlp)
    assert all(("bias" in params[name]) == use_bias for name in ("gate", "up", "down"))
    x64 = np.asarray(x, np.float64)
    gate, up = linear(params["gate"], x64), linear(params["up"], x64)
    want = linear(params["down"], gate / (1.0 + np.exp(-gate)) * up)
    np.testing.assert_allclose(mlp.apply({"params": params}, x), want, rtol=1e-5, atol=1e-5)


def test_only_the_gate_is_activated() -> None:
    mlp = GatedMLP(hidden=HIDDEN, activation=jnp.zeros_like)
    x, params = start(mlp)
    np.testing.assert_array_equal(mlp.apply({"params": params}, x), np.zeros(x.shape))


@pytest.mark.parametrize("kind", [MLP, GatedMLP])
def test_the_projection_back_may_start_differently(kind: type) -> None:
    mlp = kind(hidden=HIDDEN, kernel_init=Normal(1.0), out_kernel_init=nn.initializers.zeros)
    params = mlp.init(jax.random.key(0), jnp.ones((1, EMBED)))["params"]
    assert not params["down"]["kernel"].any()
    assert all(params[name]["kernel"].all() for name in params if name != "down")


@pytest.mark.parametrize("kind", [MLP, GatedMLP])
def test_hidden_features_are_dropped_and_scaled(kind: type) -> None:
    # With the identity as the last projection, the output shows the hidden features.
    mlp = kind(hidden=EMBED, dropout_rate=0.25, use_bias=False)
    x, params = start(mlp)
    x = jnp.ones((200, EMBED)) * x[0, 0][None]
    params["down"]["kernel"] = jnp.eye(EMBED)
    kept = mlp.apply({"params": params}, x)
    rngs = {"dropout": jax.random.key(3)}
    dropped = mlp.apply({"params": params}, x, None, False, rngs=rngs)
    zero = np.asarray(dropped == 0.0)
    assert 0.2 < zero.mean() < 0.3
    np.testing.assert_allclose(dropped[~zero], (kept / 0.75)[~zero], rtol=1e-5)


@pytest.mark.parametrize("kind", [MLP, GatedMLP])
@pytest.mark.parametrize("hidden", [0, -3])
def test_a_size_below_one_is_refused(kind: type, hidden: int) -> None:
    match = rf"hidden={hidden} must be at least 1; 4 \* embed is usual\."
    with pytest.raises(ValueError, match=match):
        kind(hidden=hidden)


@pytest.mark.parametrize("kind", [MLP, GatedMLP])
@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_rate_that_cannot_be_is_refused(kind: type, rate: float) -> None:
    match = f"dropout_rate={rate} must be at least 0 and below 1"
    with pytest.raises(ValueError, match=match):
        kind(hidden=4, dropout_rate=rate)


@pytest.mark.parametrize("kind", [MLP, GatedMLP])
def test_what_is_no_vector_is_refused(kind: type) -> None:
    match = rf"{kind.__name__}: argument `x`.*\n  expected: Float.*\n  actual:   f32\[\]"
    with pytest.raises(TypeError, match=match):
        kind(hidden=4).init(jax.random.key(0), jnp.float32(1.0))
    with pytest.raises(TypeError, match=f"{kind.__name__}: argument `x`.*\n.*\n  actual:   i32"):
        kind(hidden=4).init(jax.random.key(0), jnp.ones((2, 3), jnp.int32))


@pytest.mark.parametrize("kind", [MLP, GatedMLP])
def test_what_is_no_context_is_refused(kind: type) -> None:
    with pytest.raises(TypeError, match=r"argument `context`.*\n.*Context.*\n  actual:   'no'"):
        kind(hidden=4).init(jax.random.key(0), jnp.ones((2, 3)), "no")
