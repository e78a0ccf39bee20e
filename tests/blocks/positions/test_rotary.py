"""Rotary positions by complex multiplication, and the property that they exist for."""

import cmath

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.attention_inputs import placed

from blocks import RoPE
from blocks.context import Coordinates
from blocks.positions.rotary import rotate


def at(positions: list[list[int]]) -> Coordinates:
    placed = jnp.array(positions)
    return Coordinates(jnp.arange(placed.shape[1])[None], placed)


def turned(rope: RoPE, x: jax.Array, positions: list[list[int]]) -> jax.Array:
    query, key = rope.apply({}, x, x, placed(at(positions), at(positions)))
    np.testing.assert_array_equal(query, key)
    return query


def vectors(*shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(0), shape)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.8])
@pytest.mark.parametrize("theta", [10_000.0, 4.0])
def test_pairs_turn_as_complex_numbers(interleaved: bool, fraction: float, theta: float) -> None:
    x, positions = vectors(2, 3, 2, 8), [[0, 1, 2], [5, 100, 3]]
    got = turned(RoPE(theta=theta, fraction=fraction, interleaved=interleaved), x, positions)
    pairs = int(8 * fraction) // 2
    want = np.array(x, np.float64)
    for row, t, head, i in np.ndindex(2, 3, 2, pairs):
        a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + pairs)
        number = complex(x[row, t, head, a], x[row, t, head, b])
        angle = positions[row][t] * theta ** (-2.0 * i / (2 * pairs))
        number *= cmath.exp(1j * angle)
        want[row, t, head, a], want[row, t, head, b] = number.real, number.imag
    np.testing.assert_allclose(got, want, atol=2e-5)
    np.testing.assert_array_equal(got[..., 2 * pairs :], x[..., 2 * pairs :])


@pytest.mark.parametrize("interleaved", [False, True])
def test_the_first_position_stays_and_lengths_do(interleaved: bool) -> None:
    x = vectors(1, 3, 2, 6)
    got = turned(RoPE(interleaved=interleaved), x, [[0, 7, 1000]])
    np.testing.assert_array_equal(got[:, 0], x[:, 0])
    lengths = np.linalg.norm(np.asarray(got), axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(np.asarray(x), axis=-1), rtol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 500), st.booleans())
def test_products_depend_on_distance_alone(
    query: int, key: int, shift: int, interleaved: bool
) -> None:
    rope = RoPE(theta=100.0, interleaved=interleaved)
    q, k = vectors(2, 1, 1, 1, 8)

    def product(query: int, key: int) -> float:
        turned_q, turned_k = rope.apply({}, q, k, placed(at([[query]]), at([[key]])))
        return float((turned_q * turned_k).sum())

    assert product(query + shift, key + shift) == pytest.approx(product(query, key), abs=1e-3)


def test_products_change_with_distance() -> None:
    q, k = vectors(2, 1, 1, 1, 8)
    near, _ = RoPE().apply({}, q, k, placed(at([[1]]), at([[0]])))
    far, _ = RoPE().apply({}, q, k, placed(at([[3]]), at([[0]])))
    assert abs(float((near * k).sum() - (far * k).sum())) > 1e-3


def test_queries_and_keys_turn_to_where_each_stands() -> None:
    x = vectors(1, 2, 1, 4)
    query, key = RoPE().apply({}, x, x, placed(at([[0, 1]]), at([[4, 5]])))
    np.testing.assert_array_equal(query, turned(RoPE(), x, [[0, 1]]))
    np.testing.assert_array_equal(key, turned(RoPE(), x, [[4, 5]]))


def test_layouts_are_permutations_of_each_other() -> None:
    x, positions = vectors(1, 3, 1, 6), [[1, 2, 3]]
    order = jnp.array([0, 2, 4, 1, 3, 5])
    halves = turned(RoPE(), x[..., order], positions)
    pairs = turned(RoPE(interleaved=True), x, positions)
    np.testing.assert_allclose(halves, pairs[..., order], rtol=1e-6)


def test_angles_are_float32_in_a_bfloat16_model() -> None:
    # bfloat16 rounds 301 to 302: the first pair would turn a whole radian too far.
    x = jnp.array([[[[1.0, 0.0]]]], jnp.bfloat16)
    got = turned(RoPE(), x, [[301]])
    assert got.dtype == jnp.bfloat16
    want = [np.cos(301.0), np.sin(301.0)]
    np.testing.assert_allclose(got[0, 0, 0].astype(jnp.float32), want, atol=2**-8)


def test_rotate_takes_any_frequencies() -> None:
    x = jnp.array([[[[1.0, 0.0, 5.0]]]])
    got = rotate(x, jnp.array([[2]]), jnp.array([0.25]))
    np.testing.assert_allclose(got[0, 0, 0], [np.cos(0.5), np.sin(0.5), 5.0], rtol=1e-6)


@pytest.mark.parametrize("theta", [0.0, -2.0])
def test_a_base_without_a_logarithm_is_refused(theta: float) -> None:
    with pytest.raises(ValueError, match=f"theta={theta} must be positive; 10_000 is usual"):
        RoPE(theta=theta)


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5])
def test_a_share_that_is_none_is_refused(fraction: float) -> None:
    match = rf"fraction={fraction} must be above 0 and at most 1\."
    with pytest.raises(ValueError, match=match):
        RoPE(fraction=fraction)


@pytest.mark.parametrize(("head_dim", "fraction", "turns"), [(5, 1.0, 5), (8, 0.4, 3), (4, 0.1, 0)])
def test_features_that_are_no_pairs_are_refused(head_dim: int, fraction: float, turns: int) -> None:
    match = rf"head_dim={head_dim} with fraction={fraction} turns {turns} features, which are no"
    with pytest.raises(ValueError, match=match):
        turned(RoPE(fraction=fraction), vectors(1, 1, 1, head_dim), [[0]])


def test_what_does_not_fit_is_refused_by_name() -> None:
    x, where = vectors(1, 2, 2, 4), at([[0, 1]])
    with pytest.raises(TypeError, match=r"RoPE: argument `query`.*\n.*\n  actual:   f32\[2,2,4\]"):
        RoPE().apply({}, x[0], x, placed(where))
    with pytest.raises(TypeError, match=r"RoPE: argument `key`.*\n.*Float.*\n.*i32\[1,2,2,4\]"):
        RoPE().apply({}, x, x.astype(jnp.int32), placed(where))
    with pytest.raises(TypeError, match=r"rotate: argument `frequencies`"):
        rotate(x, jnp.array([[0, 1]]), jnp.array([1, 2]))
