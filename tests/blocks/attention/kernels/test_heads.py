import jax.numpy as jnp
import numpy as np
import pytest

from blocks.attention.kernels.heads import query_key_products, weighted_values

RNG = np.random.default_rng(0)
QUERY, KEY = RNG.normal(size=(3, 3, 6, 4)), RNG.normal(size=(3, 5, 2, 4))
VALUE, WEIGHTS = RNG.normal(size=(3, 5, 2, 7)), RNG.uniform(size=(3, 6, 3, 5))
CALLS = pytest.mark.parametrize(("batch", "q_seq"), [(1, 1), (3, 1), (2, 3)])


@CALLS
def test_each_head_multiplies_with_the_key_head_of_its_group(batch: int, q_seq: int) -> None:
    query, key = QUERY[:batch, :q_seq], KEY[:batch]
    got = query_key_products(jnp.float32(query), jnp.float32(key))
    for head in range(6):
        want = query[:, :, head] @ np.swapaxes(key[:, :, head // 3], 1, 2)
        np.testing.assert_allclose(got[:, head], want, rtol=1e-5, atol=1e-6)


@CALLS
def test_each_head_sums_the_values_of_its_group(batch: int, q_seq: int) -> None:
    weights, value = WEIGHTS[:batch, :, :q_seq], VALUE[:batch]
    got = weighted_values(jnp.float32(weights), jnp.float32(value))
    for head in range(6):
        want = weights[:, head] @ value[:, :, head // 3]
        np.testing.assert_allclose(got[:, :, head], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_value_that_is_no_number_stays_in_its_head(batch: int) -> None:
    value = jnp.float32(VALUE[:batch]).at[:, 0, 1].set(jnp.nan)
    got = weighted_values(jnp.float32(WEIGHTS[:batch, :, :1]), value)
    assert np.isnan(got).all(axis=(0, 1, 3)).tolist() == [False] * 3 + [True] * 3
    assert np.isfinite(got[:, :, :3]).all()
