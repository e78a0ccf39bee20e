"""The linear map: which axes it consumes and makes, and how it starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Linear, Normal


def params(*shape: int, bias: tuple[int, ...]) -> dict[str, jax.Array]:
    keys = jax.random.split(jax.random.key(1))
    return {
        "kernel": jax.random.normal(keys[0], shape),
        "bias": jax.random.normal(keys[1], bias),
    }


def test_projects_to_heads() -> None:
    x, given = jax.random.normal(jax.random.key(0), (2, 3, 4)), params(4, 3, 2, bias=(3, 2))
    got = Linear(features=(3, 2)).apply({"params": given}, x)
    for b, t, h, d in np.ndindex(2, 3, 3, 2):
        want = sum(float(x[b, t, e]) * float(given["kernel"][e, h, d]) for e in range(4))
        assert float(got[b, t, h, d]) == pytest.approx(want + float(given["bias"][h, d]), abs=1e-5)


def test_projects_from_heads() -> None:
    x, given = jax.random.normal(jax.random.key(0), (2, 3, 4)), params(3, 4, 5, bias=(5,))
    got = Linear(features=(5,), axes=2).apply({"params": given}, x)
    for b, e in np.ndindex(2, 5):
        want = sum(float(x[b, h, d]) * float(given["kernel"][h, d, e]) for h, d in np.ndindex(3, 4))
        assert float(got[b, e]) == pytest.approx(want + float(given["bias"][e]), abs=1e-5)


def test_has_no_bias_where_none_is_asked() -> None:
    variables = Linear(features=(3,), use_bias=False).init(jax.random.key(0), jnp.ones((2, 4)))
    assert jax.tree.map(jnp.shape, variables["params"]) == {"kernel": (4, 3)}


def test_the_kernel_is_drawn_as_one_matrix() -> None:
    # Drawn as embed x heads x head_dim, an initialiser would count embed * heads inputs.
    x = jnp.ones((1, 64))
    kernel = Linear(features=(16, 32)).init(jax.random.key(0), x)["params"]["kernel"]
    assert float(kernel.std()) == pytest.approx(64**-0.5, rel=0.03)
    x = jnp.ones((1, 16, 32))
    kernel = Linear(features=(64,), axes=2).init(jax.random.key(0), x)["params"]["kernel"]
    assert float(kernel.std()) == pytest.approx((16 * 32) ** -0.5, rel=0.03)


def test_dtype_is_of_the_product_and_param_dtype_of_the_parameters() -> None:
    linear = Linear(features=(3,), dtype=jnp.bfloat16, kernel_init=Normal(1.0))
    got, variables = linear.init_with_output(jax.random.key(0), jnp.ones((2, 4)))
    assert got.dtype == jnp.bfloat16
    assert variables["params"]["kernel"].dtype == jnp.float32


@pytest.mark.parametrize("features", [(), (0,), (3, -1)])
def test_sizes_below_one_are_refused(features: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"features=\(.*\) must all be at least 1\."):
        Linear(features=features)


def test_no_axis_to_consume_is_refused() -> None:
    with pytest.raises(ValueError, match=r"axes=0 must be at least 1\."):
        Linear(features=(2,), axes=0)


@pytest.mark.parametrize("shape", [(4,), (2, 0), (0, 4)])
def test_an_input_without_features_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"x of shape \(.*\) has no axes=2 features to map\."):
        Linear(features=(2,), axes=2).init(jax.random.key(0), jnp.ones(shape))


def test_no_tokens_give_no_tokens() -> None:
    got, _ = Linear(features=(3,)).init_with_output(jax.random.key(0), jnp.ones((2, 0, 4)))
    assert got.shape == (2, 0, 3)


def test_integers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Linear: argument `x`.*\n.*Float.*\n  actual:   i32"):
        Linear(features=(3,)).init(jax.random.key(0), jnp.ones((2, 4), jnp.int32))


def test_a_bias_starts_as_its_initialiser_says() -> None:
    linear = Linear(features=(3,), bias_init=jax.nn.initializers.constant(2.0))
    params = linear.init(jax.random.key(0), jnp.ones((1, 4)))["params"]
    np.testing.assert_array_equal(params["bias"], [2.0, 2.0, 2.0])
