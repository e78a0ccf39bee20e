"""The table of triples against look-ups in NumPy, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Context
from recipes.races.triples import TripleHash

TOKENS = np.array([[3, 1, 4, 1, 5], [9, 2, 200_000, 5, 3]])


def test_each_token_has_the_row_of_its_triple():
    table = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)
    expected = np.zeros((2, 5, 4), np.float32)
    for row, tokens in enumerate(TOKENS.tolist()):
        for place, token in enumerate(tokens):
            bucket = 0
            if place >= 2:
                before, first = tokens[place - 1], tokens[place - 2]
                mixed = (token * 36313) ^ (before * 27191) ^ (first * 51647)
                bucket = 1 + mixed % 2**32 % 6
            expected[row, place] = table[bucket]
    block = TripleHash(num_buckets=7, features=4)
    got = block.apply({"params": {"embedding": jnp.asarray(table)}}, jnp.asarray(TOKENS))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_buckets": 1, "features": 4}, "num_buckets=1 must be at least 2"),
        ({"num_buckets": 2, "features": 0}, "features=0 must be at least 1"),
    ],
)
def test_sizes_that_hold_no_triple_are_refused(sizes: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        TripleHash(**sizes)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("valid", jnp.ones(TOKENS.shape, bool), "bool"),
        ("segment_ids", jnp.zeros(TOKENS.shape, jnp.int32), "i32"),
        ("cache_size", 8, "8"),
    ],
)
def test_inputs_that_are_no_whole_windows_are_refused(name: str, value: object, said: str):
    block = TripleHash(num_buckets=7, features=4)
    with pytest.raises(ValueError, match=rf"context\.{name}=.*{said}.* must be None.*leave {name}"):
        block.init(jax.random.key(0), jnp.asarray(TOKENS), Context(**{name: value}))
