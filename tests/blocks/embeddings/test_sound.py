"""Sound: what convolutions, group norms and convolutional positions read, and what they refuse."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import Context, Linear
from blocks.embeddings import Convolution, SoundEmbedding
from blocks.norms import GroupNorm
from blocks.positions import ConvolutionalPositions

X = normal(0, (2, 9, 4))


@pytest.mark.parametrize(("width", "stride", "steps"), [(1, 1, 9), (3, 2, 4), (2, 5, 2), (9, 4, 1)])
def test_as_many_steps_come_out_as_filters_fit(width: int, stride: int, steps: int) -> None:
    convolution = Convolution(features=3, width=width, stride=stride)
    y, _ = convolution.init_with_output(jax.random.key(1), X)
    assert y.shape == (2, steps, 3)


def test_a_filter_of_one_reads_one_step_of_its_place() -> None:
    kernel = jnp.zeros((3, 4, 1)).at[2, 1, 0].set(1.0)
    convolution = Convolution(features=1, width=3, stride=2, use_bias=False)
    got = jitted(convolution, {"params": {"kernel": kernel}}, X)
    np.testing.assert_array_equal(got[:, :, 0], X[:, 2::2, 1])


def test_each_feature_of_its_own_group_has_mean_zero_and_variance_one_over_time() -> None:
    norm = GroupNorm(num_groups=4, epsilon=0.0)
    y, _ = norm.init_with_output(jax.random.key(1), 3.0 * X + 2.0)
    np.testing.assert_allclose(y.mean(axis=1), 0.0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=1), 1.0, rtol=1e-5)


def test_positions_start_with_the_filter_that_was_drawn() -> None:
    params = ConvolutionalPositions(width=5).init(jax.random.key(1), X)["params"]
    lengths = np.sqrt((np.asarray(params["kernel"], np.float64) ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(params["scale"], lengths, rtol=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_counts_as_the_zeros_beyond_the_ends(side: str) -> None:
    position = ConvolutionalPositions(width=4, num_groups=2)
    variables = drawn_variables(position, X, seed=1)
    pads = (2, 0) if side == "left" else (0, 2)
    padded = jnp.pad(X, ((0, 0), pads, (0, 0)), constant_values=7.0)
    valid = jnp.pad(jnp.ones((2, 9), bool), ((0, 0), pads))
    got = jitted(position, variables, padded, Context(valid=valid))
    np.testing.assert_allclose(
        got[valid].reshape(X.shape), jitted(position, variables, X), rtol=1e-5
    )


def test_samples_past_a_sound_s_end_change_no_real_vector() -> None:
    steps = (Convolution(features=8, width=3, stride=2), Linear(features=(4,)))
    embed = SoundEmbedding(steps=steps, position=ConvolutionalPositions(width=3))
    variables = drawn_variables(embed, X, seed=1)
    longer = jnp.pad(X, ((0, 0), (0, 4), (0, 0)), constant_values=7.0)
    valid = jnp.arange(6)[None].repeat(2, axis=0) < 4
    got = jitted(embed, variables, longer, Context(valid=valid))
    np.testing.assert_allclose(got[:, :4], jitted(embed, variables, X), rtol=1e-5, atol=1e-6)


def normed(**context: Any) -> Any:
    steps = (Convolution(features=8, width=3, stride=2, norm=GroupNorm(num_groups=8)),)
    return SoundEmbedding(steps=steps).init(jax.random.key(1), X, Context(**context))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: normed(valid=jnp.ones((2, 4), bool)), "GroupNorm averages over all steps"),
        (lambda: normed(cache_size=9), "cache_size of the context: SoundEmbedding reads whole"),
        (lambda: SoundEmbedding(steps=()), "must hold at least one step"),
        (lambda: Convolution(features=3, width=0), "width=0 must be at least 1"),
        (
            lambda: Convolution(features=3, width=12).init(jax.random.key(0), X),
            "width=12 is more than the 9 steps of x; pad the signal",
        ),
        (lambda: GroupNorm(num_groups=3).init(jax.random.key(0), X), "must divide embed=4"),
        (lambda: GroupNorm(num_groups=0), "num_groups=0 must be at least 1"),
        (lambda: ConvolutionalPositions(width=0), "width=0 must be at least 1"),
        (
            lambda: ConvolutionalPositions(width=3, num_groups=3).init(jax.random.key(0), X),
            "num_groups=3 must divide embed=4",
        ),
        (
            lambda: ConvolutionalPositions(width=3).init(
                jax.random.key(0), X, Context(segment_ids=jnp.zeros((2, 9), jnp.int32))
            ),
            "segment_ids of the context: ConvolutionalPositions mixes neighbours",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
