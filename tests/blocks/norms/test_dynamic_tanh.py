"""`DynamicTanh`: what it starts as, and how far it goes."""

import jax
import jax.numpy as jnp
import numpy as np

from blocks.norms import DynamicTanh


def test_it_starts_with_the_slope_of_the_paper() -> None:
    x = jnp.array([[-1.0, 0.0, 2.0]])
    got, _ = DynamicTanh().init_with_output(jax.random.key(0), x)
    np.testing.assert_allclose(got, np.tanh([[-0.5, 0.0, 1.0]]), rtol=1e-6)


def test_it_bounds_every_feature_by_its_scale_around_its_bias() -> None:
    scale, bias = jnp.array([1.0, 2.0]), jnp.array([0.0, 5.0])
    params = {"slope": jnp.array(1.0), "scale": scale, "bias": bias}
    got = DynamicTanh().apply({"params": params}, jnp.array([[1e6, -1e6]]))
    np.testing.assert_allclose(got, [[1.0, 3.0]])
