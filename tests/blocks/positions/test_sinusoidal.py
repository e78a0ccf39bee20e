"""Sinusoidal positions by the paper's formula, one number at a time."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from blocks import SinusoidalPositions
from blocks.positions.sinusoidal import sinusoids


def paper(position: int, feature: int, features: int, base: float) -> float:
    pair = feature // 2
    angle = position / base ** (2 * pair / features)
    return math.sin(angle) if feature % 2 == 0 else math.cos(angle)


@pytest.mark.parametrize("features", [1, 2, 7, 8])
@pytest.mark.parametrize("base", [10_000.0, 10.0])
def test_waves_are_the_papers(features: int, base: float) -> None:
    positions = [0, 1, 5, 300]
    got = sinusoids(jnp.array([positions]), features, base)
    want = [[[paper(t, i, features, base) for i in range(features)] for t in positions]]
    np.testing.assert_allclose(got, want, atol=5e-5)


def test_waves_are_added_at_each_rows_own_positions() -> None:
    x = jnp.arange(24.0).reshape(2, 3, 4)
    positions = np.array([[0, 1, 2], [4, 4, 9]])
    got = SinusoidalPositions().apply({}, x, jnp.asarray(positions))
    for row, t, i in np.ndindex(2, 3, 4):
        want = float(x[row, t, i]) + paper(int(positions[row, t]), i, 4, 10_000.0)
        assert float(got[row, t, i]) == pytest.approx(want, abs=1e-5)


def test_angles_are_float32_in_a_bfloat16_model() -> None:
    # bfloat16 rounds 301 to 302, and sin(302) is nothing like sin(301).
    x = jnp.zeros((1, 1, 2), jnp.bfloat16)
    got = SinusoidalPositions().apply({}, x, jnp.array([[301]]))
    assert got.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        got[0, 0].astype(jnp.float32), [math.sin(301), math.cos(301)], atol=2**-8
    )


def test_dtype_is_of_the_result() -> None:
    x = jnp.zeros((1, 1, 2))
    got = SinusoidalPositions(dtype=jnp.bfloat16).apply({}, x, jnp.array([[0]]))
    assert got.dtype == jnp.bfloat16


def test_sines_come_before_cosines_if_not_interleaved() -> None:
    got = sinusoids(jnp.array([[3]]), 5, interleaved=False)[0, 0]
    want = [paper(3, i, 5, 10_000.0) for i in (0, 2, 4, 1, 3)]
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_the_endpoint_is_the_longest_wavelength() -> None:
    got = sinusoids(jnp.array([[7]]), 6, 100.0, endpoint=True)[0, 0]
    angles = [7.0, 0.7, 0.07]
    want = [wave(angle) for angle in angles for wave in (math.sin, math.cos)]
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_the_endpoint_of_one_pair_is_the_shortest_wavelength() -> None:
    got = sinusoids(jnp.array([[1]]), 2, endpoint=True)[0, 0]
    np.testing.assert_allclose(got, [math.sin(1), math.cos(1)], atol=1e-6)


def test_the_offset_is_the_position_of_the_first_token() -> None:
    got = SinusoidalPositions(offset=2).apply({}, jnp.zeros((1, 1, 2)), jnp.array([[0]]))
    np.testing.assert_allclose(got[0, 0], [math.sin(2), math.cos(2)], atol=1e-6)


def test_a_negative_offset_is_refused() -> None:
    with pytest.raises(ValueError, match=r"offset=-1 must be at least 0"):
        SinusoidalPositions(offset=-1)


@pytest.mark.parametrize("base", [0.0, -1.0])
def test_a_base_without_a_logarithm_is_refused(base: float) -> None:
    with pytest.raises(ValueError, match=rf"max_wavelength={base} must be positive\."):
        SinusoidalPositions(max_wavelength=base)


def test_what_does_not_fit_is_refused_by_name() -> None:
    block, x, positions = SinusoidalPositions(), jnp.zeros((1, 2, 4)), jnp.array([[0, 1]])
    with pytest.raises(TypeError, match=r"SinusoidalPositions: argument `x`.*\n.*\n.*f32\[2,4\]"):
        block.apply({}, x[0], positions)
    with pytest.raises(TypeError, match=r"argument `x`.*\n.*Float.*\n.*i32\[1,2,4\]"):
        block.apply({}, x.astype(jnp.int32), positions)
    with pytest.raises(TypeError, match=r"argument `positions`.*\n.*Int.*\n.*f32\[1,2\]"):
        block.apply({}, x, positions.astype(jnp.float32))
    with pytest.raises(TypeError, match=r"argument `positions`[^`]*\n.*i32\[1,3\]"):
        block.apply({}, x, jnp.array([[0, 1, 2]]))
