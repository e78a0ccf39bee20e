"""Products with weights are the same in all of their forms."""

import functools

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from blocks.core import products
from blocks.core.products import FEW, matrix_product, table_product


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_rows_are_multiplied_by_rows_of_the_table_in_float32(rows: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, which both precisions hold; their sums of products only float32 does.
    x, table = (rng.integers(-99, 99, (count, 8)) for count in (rows, 5))
    got = jax.jit(table_product)(jnp.asarray(x, dtype), jnp.asarray(table, dtype))
    assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, x @ table.T)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (32, 96), (96, 32)])
@pytest.mark.parametrize("rows", [0, 1, 3, FEW - 1, FEW, 2 * FEW])
def test_rows_are_multiplied_by_a_matrix_with_its_gradients(
    rows: int, sizes: tuple[int, int], dtype: str, jit: bool
) -> None:
    rng = np.random.default_rng(0)
    # Small whole numbers, whose sums of products both precisions hold.
    shapes = (rows, sizes[0]), sizes, (rows, sizes[1])
    x, kernel, gradient = (rng.integers(-1, 2, shape).astype(np.float64) for shape in shapes)

    def product(x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> tuple[jax.Array, ...]:
        y, pull = jax.vjp(matrix_product, x, kernel)
        return y, *pull(gradient)

    arrays = [jnp.asarray(array, dtype) for array in (x, kernel, gradient)]
    found = (jax.jit(product) if jit else product)(*arrays)
    wanted = x @ kernel, gradient @ kernel.T, x.T @ gradient
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.astype(np.float32), want)


def test_sums_of_a_long_product_are_in_float32() -> None:
    # In bfloat16, 256 + 1 is 256: sums in that precision would stop there.
    ones = jnp.ones((FEW, 1024), jnp.bfloat16)
    np.testing.assert_array_equal(matrix_product(ones, ones.T).astype(np.float32), 1024.0)


def test_a_matrix_product_can_be_mapped_and_differentiated_twice() -> None:
    x, kernels = jnp.ones((FEW, 4), jnp.bfloat16), jnp.ones((3, 4, 2), jnp.bfloat16)

    def squares(kernel: jax.Array) -> jax.Array:
        return jnp.square(matrix_product(x, kernel)).sum()

    def slope(kernel: jax.Array) -> jax.Array:
        return jax.grad(squares)(kernel).sum()

    twice = jax.vmap(jax.grad(slope))(kernels)
    # The second derivative of the sum over rows, outputs and pairs of inputs: 2 x rows x inputs.
    np.testing.assert_array_equal(twice.astype(np.float32), 2.0 * FEW * 4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_policy_that_keeps_products_keeps_these(dtype: str) -> None:
    x, kernel = jnp.ones((FEW, 4), dtype), jnp.ones((4, 4), dtype)

    @functools.partial(jax.checkpoint, policy=jax.checkpoint_policies.dots_saveable)
    def layer(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sin(matrix_product(jnp.sin(x), kernel)).sum()

    traced = jax.make_jaxpr(jax.grad(layer, (0, 1)))(x, kernel)
    # Once forwards, and for the gradient of each operand.
    assert str(traced).count("dot_general") == 3


@pytest.mark.parametrize(("platform", "devices"), [("cuda", 1), ("cpu", 2)])
def test_other_devices_get_the_plain_product(
    monkeypatch: pytest.MonkeyPatch, platform: str, devices: int
) -> None:
    monkeypatch.setattr(products, "platform", lambda: platform)
    monkeypatch.setattr(jax, "device_count", lambda: devices)
    x = jnp.ones((FEW, 4), jnp.bfloat16)
    assert "custom_vjp" not in str(jax.make_jaxpr(matrix_product)(x, x[:4]))


def test_a_product_of_a_symbolic_number_of_rows_can_be_exported() -> None:
    (rows,) = jax.export.symbolic_shape("rows")
    arrays = [jax.ShapeDtypeStruct(shape, jnp.bfloat16) for shape in ((rows, 4), (4, 3))]
    exported = jax.export.export(jax.jit(matrix_product))(*arrays)
    assert exported.out_avals[0].shape == (rows, 3)
