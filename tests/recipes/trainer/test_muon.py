"""Muon against float64 NumPy and against Optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optax.contrib import muon

from recipes.trainer.muon import matrix_axes, orthogonal_steps, orthogonalise, polar_coefficients
from recipes.trainer.optimizers import layer_matrices

NEWTON_SCHULZ = ((3.4445, -4.7750, 2.0315),) * 5  # of the authors, and Optax's

SHAPES = {
    "stack.layers.attention.query.kernel": (2, 8, 2, 4),
    "stack.layers.attention.out.kernel": (2, 2, 4, 8),
    "stack.layers.mlp.up.kernel": (2, 8, 16),
    "stack.layers.mlp.down.kernel": (2, 16, 8),
}


def gradients() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype("f4") for name, shape in SHAPES.items()}


def test_every_singular_value_goes_through_the_polynomials():
    """In the basis of singular vectors an iteration is a polynomial of each singular value."""
    matrices = np.random.default_rng(1).standard_normal((3, 6, 9))
    left, values, right = np.linalg.svd(matrices, full_matrices=False)
    values = values / np.sqrt(np.square(values).sum(axis=-1, keepdims=True))
    for a, b, c in polar_coefficients(3):
        values = a * values + b * values**3 + c * values**5
    expected = (left * values[:, None]) @ right
    actual = orthogonalise(jnp.asarray(matrices, jnp.float32), polar_coefficients(3))
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_the_result_is_near_the_polar_factor():
    rng = np.random.default_rng(2)
    left, right = (np.linalg.qr(rng.standard_normal((8, 8)))[0] for _ in range(2))
    matrix = (left * np.geomspace(0.05, 1.0, 8)) @ right.T
    found = orthogonalise(jnp.asarray(matrix, jnp.float32)[None], polar_coefficients(5))[0]
    np.testing.assert_allclose(found, left @ right.T, atol=1e-3)


def test_no_other_polynomial_brings_values_closer_to_one():
    """By Chebyshev: the largest error is reached four times, with turns of the sign."""
    ((a, b, c),) = polar_coefficients(1, smallest=0.1)
    s = np.linspace(0.1, 1.0, 100_001)
    error = a * s + b * s**3 + c * s**5 - 1.0
    signs = np.sign(error[np.abs(error) > np.abs(error).max() * (1 - 1e-5)])
    assert [signs[0], *signs[1:][np.diff(signs) != 0]] in ([-1, 1, -1, 1], [1, -1, 1, -1])


def test_many_iterations_end_in_the_limit():
    """Of all a s + b s^3 + c s^5 it alone is 1 at 1 with two derivatives of 0."""
    equations = np.array([[1, 1, 1], [1, 3, 5], [0, 6, 20]])
    limit = np.linalg.solve(equations, [1, 0, 0])
    values = np.geomspace(0.01, 1.0, 101)
    *first, last = polar_coefficients(10)
    np.testing.assert_allclose(last, limit, rtol=1e-12)
    for a, b, c in (*first, last):
        values = a * values + b * values**3 + c * values**5
    np.testing.assert_allclose(values, 1.0, rtol=1e-12)


def test_the_steps_are_those_of_optax():
    """Grouped by shape or one by one, transposed or not, and with the factor of the shape."""
    grads = gradients()
    nested = {}
    for name, leaf in grads.items():
        *folders, last = name.split(".")
        part = nested
        for folder in folders:
            part = part.setdefault(folder, {})
        part[last] = leaf
    options = {"beta": 0.0, "nesterov": False, "ns_coeffs": NEWTON_SCHULZ[0]}
    one = muon(1.0, **options, muon_weight_dimension_numbers=layer_matrices)
    moved, _ = jax.jit(lambda tree: one.update(tree, one.init(tree), tree))(nested)
    steps = jax.jit(lambda tree: orthogonal_steps(tree, NEWTON_SCHULZ))(grads)
    for name, step in steps.items():
        part = moved
        for key in name.split("."):
            part = part[key]
        np.testing.assert_allclose(step, -part, atol=2e-4, err_msg=name)


def test_bfloat16_products_keep_the_directions():
    matrices = np.random.default_rng(3).standard_normal((2, 8, 12))
    matrices = jnp.asarray(matrices, jnp.float32)
    options = [None, jnp.bfloat16]
    exact, rounded = (orthogonalise(matrices, polar_coefficients(4), each) for each in options)
    assert rounded.dtype == jnp.float32
    np.testing.assert_allclose(rounded, exact, atol=0.05)


@pytest.mark.parametrize("name", ["embed.embedding", "head.kernel", "stack.norm.scale"])
def test_what_is_no_matrix_of_layers_is_refused(name: str):
    assert matrix_axes(name, 2) is None
    with pytest.raises(
        ValueError, match=f"'{name}' must be a matrix of a layer; let Adam train it"
    ):
        orthogonal_steps({name: jnp.ones((4, 4))}, polar_coefficients(1))
