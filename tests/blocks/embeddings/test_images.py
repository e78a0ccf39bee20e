"""Patches and their positions, and the stem for sound."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import jitted

from blocks import ConvolutionStem, GridPositions, PatchEmbedding
from blocks.positions import SinusoidalGrid


def test_patches_come_row_by_row_after_the_extra_tokens() -> None:
    embed = PatchEmbedding(size=2, features=3, extra_tokens=1)
    image = jnp.zeros((1, 4, 6, 1)).at[0, 2, 4, 0].set(1.0)  # row 1, column 2 of patches
    variables = embed.init(jax.random.key(0), image)
    got = embed.apply(variables, image)[0]
    assert got.shape == (1 + 2 * 3, 3)
    np.testing.assert_array_equal(got[0], variables["params"]["tokens"][0])
    changed = np.flatnonzero(np.abs(np.asarray(got[1:])).sum(axis=1))
    np.testing.assert_array_equal(changed, [1 * 3 + 2])


def test_a_grid_of_another_size_takes_the_table_interpolated() -> None:
    positions = GridPositions(rows=2, columns=2)
    table = jnp.array([[[0.0], [1.0]], [[2.0], [3.0]]])
    variables = {"params": {"embedding": table}}
    same = jitted(positions, variables, jnp.zeros((1, 2, 2, 1)))[0]
    np.testing.assert_array_equal(same, table)
    larger = jitted(positions, variables, jnp.zeros((1, 4, 4, 1)))[0, ..., 0]
    np.testing.assert_allclose(larger.mean(), 1.5, atol=1e-6)
    assert (jnp.diff(larger, axis=0) > 0).all()
    assert (jnp.diff(larger, axis=1) > 0).all()


def test_waves_of_a_grid_tell_rows_from_columns() -> None:
    got = jitted(SinusoidalGrid(), {}, jnp.zeros((1, 3, 4, 8)))[0]
    np.testing.assert_array_equal(got[:, :1, :4], got[:, 1:2, :4])
    np.testing.assert_array_equal(got[:1, :, 4:], got[1:2, :, 4:])
    assert len(np.unique(np.asarray(got).reshape(12, 8), axis=0)) == 12


@pytest.mark.parametrize("seq", [1, 2, 5, 6])
def test_the_stem_halves_the_steps(seq: int) -> None:
    x = jnp.ones((1, seq, 4))
    got = ConvolutionStem(features=3).init_with_output(jax.random.key(0), x)[0]
    assert got.shape == (1, (seq + 1) // 2, 3)


def image(*shape: int) -> object:
    return PatchEmbedding(size=4, features=3).init(jax.random.key(0), jnp.zeros((1, *shape, 3)))


def patches(*, token_positions: int) -> object:
    return PatchEmbedding(size=2, features=3, extra_tokens=1, token_positions=token_positions)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: image(8, 6), "an image of 8 x 6 is not whole patches of size=4"),
        (lambda: image(0, 4), "an image of 0 x 4 is not whole patches"),
        (lambda: PatchEmbedding(size=0, features=3), "size=0 must be at least 1"),
        (lambda: PatchEmbedding(size=2, features=3, extra_tokens=-1), "extra_tokens=-1 must be"),
        (lambda: patches(token_positions=2), "token_positions=2 must be at most extra_tokens=1"),
        (lambda: patches(token_positions=-1), "token_positions=-1 must be at least 0"),
        (lambda: PatchEmbedding(size=2, features=3, dropout_rate=1.0), "dropout_rate=1.0 must be"),
        (lambda: GridPositions(rows=0, columns=1), "rows=0 must be at least 1"),
        (lambda: SinusoidalGrid(max_wavelength=0.0), "max_wavelength=0.0 must be positive"),
        (lambda: SinusoidalGrid().apply({}, jnp.zeros((1, 2, 2, 6))), "embed=6 must be a multiple"),
        (lambda: ConvolutionStem(features=0), "features=0 must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
