"""Activations and their slopes, against formulas in float64."""

import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import gelu


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_the_slope_of_gelu(dtype: jnp.dtype) -> None:
    x = jnp.linspace(-6.0, 6.0, 41).astype(dtype)
    got = jax.vmap(jax.grad(gelu))(x)
    assert got.dtype == dtype
    want = [0.5 * math.erfc(-v / math.sqrt(2)) + v * density(v) for v in x.tolist()]
    tolerance = 1e-6 if dtype == jnp.float32 else 1e-2
    np.testing.assert_allclose(np.asarray(got, np.float64), want, atol=tolerance)


def density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def test_the_slope_of_gelu_in_float64() -> None:
    with jax.enable_x64(True):
        x = jnp.linspace(-6.0, 6.0, 41)
        got = jax.vmap(jax.grad(gelu))(x)
        want = [0.5 * math.erfc(-v / math.sqrt(2)) + v * density(v) for v in x.tolist()]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)


def test_the_second_derivative_of_gelu() -> None:
    x = jnp.linspace(-6.0, 6.0, 41)
    got = jax.vmap(jax.grad(jax.grad(gelu)))(x)
    want = [density(v) * (2 - v * v) for v in x.tolist()]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)


def test_gelu_in_forward_mode() -> None:
    x, tangent = jnp.array([-1.5, 0.0, 2.0]), jnp.array([3.0, -1.0, 0.5])
    _, got = jax.vmap(lambda x, t: jax.jvp(gelu, (x,), (t,)))(x, tangent)
    slopes = [0.5 * math.erfc(-v / math.sqrt(2)) + v * density(v) for v in x.tolist()]
    np.testing.assert_allclose(got, np.array(slopes) * np.array(tangent), rtol=1e-6)


def test_gelu_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(gelu)) is gelu
