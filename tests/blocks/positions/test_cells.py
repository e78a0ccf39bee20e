"""`GridBias` and `GridRoPE`: what two patches see of one another is their offset."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.attention_inputs import placed

from blocks import Context, MultiHeadAttention, checked
from blocks.context import Coordinates
from blocks.positions import GridBias, GridRoPE


def at(count: int) -> Coordinates:
    return Coordinates(jnp.arange(count)[None], jnp.arange(count)[None])


def test_patches_of_one_offset_have_one_bias() -> None:
    """A table of numbers that say their offset: 10 * rows down + columns along."""
    down, along = np.meshgrid(np.arange(-1, 2), np.arange(-2, 3), indexing="ij")
    table = jnp.asarray((10.0 * down + along).reshape(-1, 1))
    bias = GridBias(rows=2, columns=3, extra_tokens=0)
    got = bias.modify(jnp.zeros((1, 1, 6, 6)), table, at(6), at(6))[0, 0]
    places = [(row, column) for row in range(2) for column in range(3)]
    want = [[10.0 * (r - s) + c - d for s, d in places] for r, c in places]
    np.testing.assert_array_equal(got, want)


def test_extra_tokens_have_three_numbers_of_their_own() -> None:
    table = jnp.array([[0.0], [1.0], [2.0], [3.0]])  # one patch has one offset
    bias = GridBias(rows=1, columns=1, extra_tokens=2)
    got = bias.modify(jnp.zeros((1, 1, 3, 3)), table, at(3), at(3))[0, 0]
    np.testing.assert_array_equal(got, [[3.0, 3.0, 1.0], [3.0, 3.0, 1.0], [2.0, 2.0, 0.0]])


def products(rope: GridRoPE, count: int) -> np.ndarray:
    """Products of one query with one key, wherever each of them stands."""
    query, key = jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 8))
    turned = rope.apply(
        {}, jnp.repeat(query, count, 1), jnp.repeat(key, count, 1), placed(at(count))
    )
    return np.einsum("qd,kd->qk", *(np.asarray(x, np.float64)[0, :, 0] for x in turned))


def test_products_of_turned_patches_go_by_their_offset() -> None:
    got = products(GridRoPE(rows=2, columns=3, extra_tokens=0), 6).reshape(2, 3, 2, 3)
    np.testing.assert_allclose(got[0, 0, 1, 1], got[0, 1, 1, 2], rtol=1e-5)
    np.testing.assert_allclose(got[0, 0, 0, 1], got[1, 1, 1, 2], rtol=1e-5)
    assert abs(got[0, 0, 0, 1] - got[0, 0, 1, 0]) > 1e-2


def test_extra_tokens_are_not_turned() -> None:
    x = jax.random.normal(jax.random.key(0), (1, 4, 2, 8))
    query, key = GridRoPE(rows=1, columns=2, extra_tokens=2).apply({}, x, x, placed(at(4)))
    np.testing.assert_array_equal(query[:, :2], x[:, :2])
    np.testing.assert_array_equal(key[:, :2], x[:, :2])
    assert (jnp.abs(query - x)[:, 2:].max(axis=(0, 2, 3)) > 0.1).all()


def test_the_middle_of_an_image_has_the_angle_zero_at_any_size() -> None:
    x = jax.random.normal(jax.random.key(0), (1, 15, 2, 8))
    query, _ = GridRoPE(rows=3, columns=5, extra_tokens=0).apply({}, x, x, placed(at(15)))
    np.testing.assert_allclose(query[:, 7], x[:, 7], atol=1e-6)


@pytest.mark.parametrize(
    "part",
    [
        {"scores": (GridBias(rows=2, columns=2),)},
        {"position": GridRoPE(rows=2, columns=2)},
    ],
    ids=["bias", "rotation"],
)
def test_images_of_another_grid_are_refused(part: dict[str, Any]) -> None:
    attention = MultiHeadAttention(num_heads=2, **part)
    with pytest.raises(ValueError, match=r"are 5 tokens of an image, and the call has 7; give"):
        attention.init(jax.random.key(0), jnp.ones((1, 7, 8)))


def test_positions_past_the_grid_are_refused_where_values_are_checked() -> None:
    attention = MultiHeadAttention(num_heads=2, scores=(GridBias(rows=2, columns=2),))
    x = jnp.ones((1, 5, 8))
    variables = attention.init(jax.random.key(0), x)
    past = Context(positions=jnp.arange(1, 6)[None])
    with pytest.raises(ValueError, match="positions from 1 to 5 do not fit an image of 5 tokens"):
        checked(attention.apply)(variables, x, past)


@pytest.mark.parametrize("kind", [GridBias, GridRoPE])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0, "columns": 2}, "rows=0 must be at least 1"),
        ({"rows": 2, "columns": -1}, "columns=-1 must be at least 1"),
        ({"rows": 2, "columns": 2, "extra_tokens": -1}, "extra_tokens=-1 must be at least 0"),
    ],
    ids=str,
)
def test_grids_that_cannot_be_are_refused(kind: Any, fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**fields)


def test_heads_that_have_no_pairs_for_two_axes_are_refused() -> None:
    attention = MultiHeadAttention(num_heads=2, head_dim=6, position=GridRoPE(rows=2, columns=2))
    with pytest.raises(ValueError, match="head_dim=6 must be a multiple of 4"):
        attention.init(jax.random.key(0), jnp.ones((1, 5, 8)))


def test_a_base_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match=r"theta=0\.0 must be positive"):
        GridRoPE(rows=2, columns=2, theta=0.0)
