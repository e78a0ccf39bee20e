"""Learned positions: whose row is added, and what is past the table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import LearnedPositions, checked

ROWS = jnp.arange(12.0).reshape(4, 3)


def added(positions: list[list[int]], x: jax.Array | None = None) -> jax.Array:
    at = jnp.array(positions, jnp.int32)
    x = jnp.zeros((len(positions), at.shape[1], 3)) if x is None else x
    return LearnedPositions(max_length=4).apply({"params": {"embedding": ROWS}}, x, at)


def test_the_row_of_each_position_is_added() -> None:
    np.testing.assert_array_equal(added([[0, 1, 3]])[0], ROWS[jnp.array([0, 1, 3])])
    both = added([[0, 1], [2, 0]], jnp.ones((2, 2, 3)))
    np.testing.assert_array_equal(both[1], 1.0 + ROWS[jnp.array([2, 0])])


def test_one_row_of_positions_serves_a_batch() -> None:
    got = added([[2, 1]], jnp.zeros((3, 2, 3)))
    np.testing.assert_array_equal(got, jnp.broadcast_to(ROWS[jnp.array([2, 1])], (3, 2, 3)))


def test_an_empty_sequence_stays_empty() -> None:
    got = LearnedPositions(max_length=4).apply(
        {"params": {"embedding": ROWS}}, jnp.zeros((1, 0, 3)), jnp.zeros((1, 0), jnp.int32)
    )
    assert got.shape == (1, 0, 3)


def test_the_table_starts_small_and_in_its_dtype() -> None:
    block = LearnedPositions(max_length=100, param_dtype=jnp.bfloat16)
    variables = block.init(jax.random.key(0), jnp.zeros((1, 2, 50)), jnp.array([[0, 1]]))
    table = variables["params"]["embedding"]
    assert (table.shape, table.dtype) == ((100, 50), jnp.bfloat16)
    assert float(table.astype(jnp.float32).std()) == pytest.approx(0.02, rel=0.05)


def test_dtype_is_of_the_result() -> None:
    block = LearnedPositions(max_length=4, dtype=jnp.bfloat16)
    got, _ = block.init_with_output(jax.random.key(0), jnp.zeros((1, 1, 3)), jnp.array([[0]]))
    assert got.dtype == jnp.bfloat16


@pytest.mark.parametrize("length", [0, -1])
def test_a_table_without_rows_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"max_length={length} must be at least 1\."):
        LearnedPositions(max_length=length)


def test_a_sequence_longer_than_the_table_is_refused_even_under_jit() -> None:
    match = r"seq=5 is longer than max_length=4; shorten the input or raise max_length\."
    with pytest.raises(ValueError, match=match):
        jax.jit(lambda: added([[0, 0, 0, 0, 0]]))()


@pytest.mark.parametrize(
    ("positions", "low", "high"), [([[3, 4]], 3, 4), ([[-1, 2]], -1, 2), ([[7, 9]], 7, 9)]
)
def test_a_position_past_the_table_is_refused(
    positions: list[list[int]], low: int, high: int
) -> None:
    match = rf"positions from {low} to {high} do not fit max_length=4; shorten the input"
    with pytest.raises(ValueError, match=match):
        added(positions)


def test_a_position_past_the_table_is_refused_under_jit_when_checked() -> None:
    block, variables = LearnedPositions(max_length=4), {"params": {"embedding": ROWS}}
    x, positions = jnp.zeros((1, 2, 3)), jnp.array([[3, 4]])
    with pytest.raises(ValueError, match=r"positions from 3 to 4 do not fit max_length=4"):
        checked(block.apply)(variables, x, positions)


def test_what_does_not_fit_is_refused_by_name() -> None:
    block, x = LearnedPositions(max_length=4), jnp.zeros((1, 2, 3))
    key, positions = jax.random.key(0), jnp.array([[0, 1]])
    with pytest.raises(TypeError, match=r"LearnedPositions: argument `x`.*\n.*\n.*f32\[2,3\]"):
        block.init(key, x[0], positions)
    with pytest.raises(TypeError, match=r"argument `x`.*\n.*Float.*\n.*i32\[1,2,3\]"):
        block.init(key, x.astype(jnp.int32), positions)
    with pytest.raises(TypeError, match=r"argument `positions`.*\n.*Int.*\n.*f32\[1,2\]"):
        block.init(key, x, positions.astype(jnp.float32))
    with pytest.raises(TypeError, match=r"argument `positions`[^`]*\n.*i32\[2,2\]"):
        block.init(key, x, jnp.zeros((2, 2), jnp.int32))
