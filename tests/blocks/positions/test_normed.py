"""Positions on vectors that are normalised first."""

import jax.numpy as jnp
import numpy as np

from blocks import LayerNorm, LearnedPositions
from blocks.positions import NormedPositions


def test_the_norm_comes_before_positions() -> None:
    block = NormedPositions(
        position=LearnedPositions(max_length=2), norm=LayerNorm(use_scale=False, use_bias=False)
    )
    places = jnp.array([[5.0, 5.0], [7.0, -7.0]])
    got = block.apply(
        {"params": {"position": {"embedding": places}}},
        jnp.array([[[3.0, 1.0], [10.0, 30.0]]]),
        jnp.array([[0, 1]]),
    )
    np.testing.assert_allclose(got, [[[6.0, 4.0], [6.0, -6.0]]], atol=1e-4)
