"""A product with a table is the same in both of its forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks.core.rows import table_product


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rows", [1, 3])
def test_rows_are_multiplied_by_rows_of_the_table_in_float32(rows: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, which both precisions hold; their sums of products only float32 does.
    x, table = (rng.integers(-99, 99, (count, 8)) for count in (rows, 5))
    got = jax.jit(table_product)(jnp.asarray(x, dtype), jnp.asarray(table, dtype))
    assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, x @ table.T)
