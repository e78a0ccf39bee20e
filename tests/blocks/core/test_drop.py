"""Dropout: how many entries it drops, what it makes of the rest, and what a key decides."""

import jax
import jax.numpy as jnp
import pytest

from blocks.core.drop import dropout, kept


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_entries_are_dropped_at_the_rate(rate: float) -> None:
    # Half of the entries come from each half of a random number.
    drawn = kept(jax.random.key(0), rate, (400, 250))
    for half in (drawn[:, ::2], drawn[:, 1::2]):
        # The share of 50,000 draws has a standard deviation of 0.0022 at most.
        assert float(half.mean()) == pytest.approx(1.0 - rate, abs=0.01)


def test_neighbours_are_dropped_independently() -> None:
    drawn = kept(jax.random.key(0), 0.5, (400, 250))
    for one, other in ((drawn[:, ::2], drawn[:, 1::2]), (drawn[:-1], drawn[1:])):
        assert float((one & other).mean()) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("shape", [(3,), (2, 7), (5, 1), (0,), (4, 0)])
def test_shapes_with_an_odd_last_axis(shape: tuple[int, ...]) -> None:
    assert kept(jax.random.key(0), 0.5, shape).shape == shape


def test_what_is_left_is_scaled_to_keep_the_mean() -> None:
    got = dropout(jnp.full((4, 8), 3.0), 0.25, jax.random.key(0))
    assert set(got.ravel().tolist()) == {0.0, 4.0}


def test_a_key_decides_on_what_is_dropped() -> None:
    x = jnp.ones((4, 64))
    one, again, other = (dropout(x, 0.5, jax.random.key(seed)) for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()
