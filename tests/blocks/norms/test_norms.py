"""Norms against float64, and what is special at their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import LayerNorm, RMSNorm
from blocks.norms import ScaleNorm
from blocks.norms.layer_norm import layer_norm
from blocks.norms.rms_norm import rms_norm

EMBED = 6


def inputs(shape: tuple[int, ...] = (2, 3, EMBED), seed: int = 0) -> jax.Array:
    return 3.0 * jax.random.normal(jax.random.key(seed), shape) + 1.0


def vectors() -> dict[str, jax.Array]:
    scale, bias = jax.random.normal(jax.random.key(1), (2, EMBED))
    return {"scale": scale, "bias": bias}


def expected_layer_norm(x: jax.Array, epsilon: float) -> np.ndarray:
    x64 = np.asarray(x, np.float64)
    centred = x64 - x64.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)


def expected_rms_norm(x: jax.Array, epsilon: float) -> np.ndarray:
    x64 = np.asarray(x, np.float64)
    return x64 / np.sqrt((x64**2).mean(axis=-1, keepdims=True) + epsilon)


@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
def test_layer_norm_centres_scales_and_maps(epsilon: float) -> None:
    x, params = inputs(), vectors()
    got = LayerNorm(epsilon=epsilon).apply({"params": params}, x)
    want = expected_layer_norm(x, epsilon) * np.asarray(params["scale"], np.float64)
    np.testing.assert_allclose(got, want + np.asarray(params["bias"], np.float64), rtol=1e-5)


@pytest.mark.parametrize("epsilon", [1e-6, 0.5])
def test_rms_norm_scales_and_does_not_centre(epsilon: float) -> None:
    x, scale = inputs(), vectors()["scale"]
    got = RMSNorm(epsilon=epsilon).apply({"params": {"scale": scale}}, x)
    want = expected_rms_norm(x, epsilon) * np.asarray(scale, np.float64)
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize(
    ("use_scale", "use_bias", "names"),
    [
        (True, True, {"scale", "bias"}),
        (True, False, {"scale"}),
        (False, True, {"bias"}),
        (False, False, set()),
    ],
)
def test_layer_norm_learns_only_what_is_asked(
    use_scale: bool, use_bias: bool, names: set[str]
) -> None:
    norm = LayerNorm(use_scale=use_scale, use_bias=use_bias)
    params = norm.init(jax.random.key(0), inputs()).get("params", {})
    assert set(params) == names
    given = {name: vectors()[name] for name in names}
    want = expected_layer_norm(inputs(), 1e-5)
    want = want * np.asarray(given.get("scale", np.ones(EMBED)), np.float64)
    want = want + np.asarray(given.get("bias", np.zeros(EMBED)), np.float64)
    np.testing.assert_allclose(norm.apply({"params": given}, inputs()), want, rtol=1e-5, atol=1e-6)


def test_a_new_norm_only_normalises() -> None:
    x = inputs()
    layer, _ = LayerNorm().init_with_output(jax.random.key(0), x)
    rms, _ = RMSNorm().init_with_output(jax.random.key(0), x)
    np.testing.assert_allclose(layer, expected_layer_norm(x, 1e-5), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rms, expected_rms_norm(x, 1e-6), rtol=1e-5, atol=1e-6)


def test_layer_norm_keeps_its_digits_far_from_zero() -> None:
    # The variance as a difference of squares would lose all of them.
    x = inputs() + 1e4
    got = LayerNorm(use_scale=False, use_bias=False).apply({}, x)
    np.testing.assert_allclose(got, expected_layer_norm(x, 1e-5), rtol=2e-3, atol=2e-3)


def test_statistics_of_bfloat16_are_float32() -> None:
    x = (inputs((1, 1, 512)) * 100.0).astype(jnp.bfloat16)
    got = RMSNorm(use_scale=False).apply({}, x)
    assert got.dtype == jnp.bfloat16
    # One rounding at the end: half a unit in the last place of eight bits.
    np.testing.assert_allclose(
        got.astype(jnp.float32), expected_rms_norm(x.astype(jnp.float32), 1e-6), rtol=2**-8
    )


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_dtype_sets_the_result_and_param_dtype_the_parameters(norm: type) -> None:
    block = norm(dtype=jnp.float16, param_dtype=jnp.bfloat16)
    got, variables = block.init_with_output(jax.random.key(0), inputs())
    assert got.dtype == jnp.float16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
@pytest.mark.parametrize("shape", [(EMBED,), (2, EMBED), (2, 3, 4, EMBED)])
def test_norms_take_any_number_of_leading_axes(norm: type, shape: tuple[int, ...]) -> None:
    got, _ = norm().init_with_output(jax.random.key(0), inputs(shape))
    assert got.shape == shape


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_a_constant_token_has_a_finite_gradient(norm: type) -> None:
    x = jnp.zeros((1, EMBED))
    gradient = jax.jit(jax.grad(lambda x: norm().init_with_output(jax.random.key(0), x)[0].sum()))(
        x
    )
    assert jnp.isfinite(gradient).all()


def test_functions_name_the_vector_that_does_not_fit() -> None:
    with pytest.raises(TypeError, match=r"layer_norm: argument `bias`[^`]*\n  actual:   f32\[5\]"):
        layer_norm(inputs(), None, jnp.ones(5))
    with pytest.raises(TypeError, match=r"rms_norm: argument `scale`[^`]*\n  actual:   f32\[5\]"):
        rms_norm(inputs(), jnp.ones(5))


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_integers_are_refused(norm: type) -> None:
    match = f"{norm.__name__}: argument `x`.*\n  expected: Float.*\n  actual:   i32"
    with pytest.raises(TypeError, match=match):
        norm().init(jax.random.key(0), jnp.ones((2, EMBED), jnp.int32))


def test_scale_norm_has_gradients_where_a_token_is_zero() -> None:
    norm, x = ScaleNorm(), jnp.zeros((1, EMBED))
    variables = norm.init(jax.random.key(0), x)
    gradient = jax.jit(jax.grad(lambda x: norm.apply(variables, x).sum()))(x)
    assert bool(jnp.isfinite(gradient).all())
    np.testing.assert_array_equal(norm.apply(variables, x), x)


def test_scale_norm_starts_at_the_root_of_the_width() -> None:
    got = ScaleNorm().init_with_output(jax.random.key(0), inputs())[0]
    lengths = jnp.linalg.norm(got, axis=-1)
    np.testing.assert_allclose(lengths, jnp.full_like(lengths, EMBED**0.5), rtol=1e-5)


def test_a_unit_offset_keeps_the_factor_minus_one() -> None:
    plain, offset = RMSNorm(), RMSNorm(unit_offset=True)
    same, variables = offset.init_with_output(jax.random.key(0), inputs())
    np.testing.assert_array_equal(variables["params"]["scale"], jnp.zeros(EMBED))
    np.testing.assert_allclose(same, plain.init_with_output(jax.random.key(0), inputs())[0])
