"""ALiBi and relative buckets, against the numbers of their papers."""

import jax.numpy as jnp
import numpy as np
import pytest

from blocks import ALiBi, RelativeBias
from blocks.context import Coordinates
from blocks.positions.alibi import alibi_slopes
from blocks.positions.relative_bias import relative_buckets


def test_slopes_of_eight_heads_are_those_of_the_paper() -> None:
    assert alibi_slopes(8) == tuple(0.5**head for head in range(1, 9))


def test_slopes_of_other_numbers_come_from_the_next_powers_of_two() -> None:
    assert alibi_slopes(6) == (*alibi_slopes(4), *alibi_slopes(8)[0:4:2])
    assert alibi_slopes(1) == (2.0**-8,)


def test_alibi_goes_by_positions_wherever_a_chunk_stands() -> None:
    at = Coordinates(jnp.arange(3)[None], jnp.array([[5, 6, 9]]))
    got = ALiBi().modify(jnp.zeros((1, 2, 3, 3)), (), at, at)
    np.testing.assert_allclose(got[0, 0, 2], [-4 / 16, -3 / 16, 0.0])
    np.testing.assert_allclose(got[0, 1, 0], [0.0, -1 / 256, -4 / 256])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_split_as_the_paper_says(bidirectional: bool) -> None:
    """Half of them for one distance each, the others up to 128 by logarithm, all beyond alike."""
    steps = jnp.arange(-300, 301)
    buckets = np.asarray(relative_buckets(steps, 32, 128, bidirectional))
    before = buckets[:301][::-1]
    exact = 8 if bidirectional else 16
    np.testing.assert_array_equal(before[:exact], np.arange(exact))
    assert (np.diff(before) >= 0).all()
    assert (before[128:] == 2 * exact - 1).all()
    assert before[exact] == exact
    # Equal shares of the logarithm: twice the distance is log 2 / log (128 / exact) of them.
    share = exact * np.log(2.0) / np.log(128 / exact)
    assert before[2 * exact] == exact + int(share + 1e-6)
    after = buckets[301:]
    if bidirectional:
        np.testing.assert_array_equal(after, before[1:] + 16)
    else:
        assert (after == 0).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_buckets": 3}, "num_buckets=3 must be even and at least 4"),
        ({"num_buckets": 32, "max_distance": 8}, "max_distance=8 must be above the 8 distances"),
    ],
)
def test_buckets_that_cannot_be_are_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RelativeBias(**fields)
