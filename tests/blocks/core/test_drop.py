"""Dropout: its rate, its scale, and which entries a key drops."""

import math

import jax
import jax.numpy as jnp
import pytest

from blocks.core.drop import dropout, kept


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_entries_are_dropped_at_the_rate(rate: float) -> None:
    drawn = kept(jax.random.key(0), rate, (400, 250))
    # Within four standard deviations of a binomial distribution.
    bound = 4.0 * math.sqrt(rate * (1.0 - rate) / drawn.size)
    assert float(drawn.mean()) == pytest.approx(1.0 - rate, abs=bound)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neighbours_are_dropped_independently(axis: int) -> None:
    drawn = jnp.moveaxis(kept(jax.random.key(0), 0.5, (40, 50, 50)), axis, 0)
    # Both of a pair are kept in a quarter of 98,000 pairs, whose deviation is 0.002 at most.
    assert float((drawn[:-1] & drawn[1:]).mean()) == pytest.approx(0.25, abs=0.008)


@pytest.mark.parametrize("shape", [(), (3,), (5, 1), (0,), (4, 0), (0, 4)])
def test_arrays_of_any_shape_are_drawn(shape: tuple[int, ...]) -> None:
    assert kept(jax.random.key(0), 0.5, shape).shape == shape


def test_kept_entries_are_scaled_to_keep_the_mean() -> None:
    got = dropout(jnp.full((4, 8), 3.0), 0.25, jax.random.key(0))
    assert set(got.ravel().tolist()) == {0.0, 4.0}


def test_a_key_drops_the_same_entries_again() -> None:
    x = jnp.ones((4, 64))
    one, again = (dropout(x, 0.5, jax.random.key(0)) for _ in range(2))
    assert (one == again).all()


def test_keys_drop_independent_entries() -> None:
    one, other = (kept(jax.random.key(seed), 0.5, (400, 250)) for seed in (0, 1))
    assert float((one & other).mean()) == pytest.approx(0.25, abs=0.008)
