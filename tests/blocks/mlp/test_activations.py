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
    density = [math.exp(-v * v / 2) / math.sqrt(2 * math.pi) for v in x.tolist()]
    below = [0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()]
    want = [p + v * d for v, d, p in zip(x.tolist(), density, below, strict=True)]
    tolerance = 1e-6 if dtype == jnp.float32 else 1e-2
    np.testing.assert_allclose(np.asarray(got, np.float64), want, atol=tolerance)


def test_gelu_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(gelu)) is gelu
