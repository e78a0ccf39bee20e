"""`XIELU`: what it starts as, that it is smooth at zero, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks.mlp import XIELU


def test_it_starts_with_the_slopes_of_the_paper() -> None:
    x = jnp.array([[-2.0, -0.5, 0.0, 1.0, 3.0]])
    got, _ = XIELU().init_with_output(jax.random.key(0), x)
    below, above = np.array([-2.0, -0.5]), np.array([1.0, 3.0])
    want = [*(0.8 * (np.exp(below) - 1 - below) + below / 2), 0.0, *(0.8 * above**2 + above / 2)]
    np.testing.assert_allclose(got, [want], rtol=1e-5)


def test_its_slope_at_zero_is_beta_from_both_sides() -> None:
    block = XIELU(beta=0.3)
    variables = block.init(jax.random.key(0), jnp.ones((1, 1)))
    slope = jax.vmap(jax.grad(lambda x: block.apply(variables, x[None, None])[0, 0]))
    np.testing.assert_allclose(slope(jnp.array([-1e-6, 0.0, 1e-6])), 0.3, rtol=1e-4)


def test_a_slope_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match=r"beta=0.0 must be positive; the paper has 0.5"):
        XIELU(beta=0.0)
