"""Initialisers: the statistics of what they draw, and that they are values."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Normal
from blocks.core import VarianceScaling
from blocks.core.initializers import LECUN_NORMAL, Constant

SHAPE = (200, 300)


@pytest.mark.parametrize("stddev", [0.02, 3.0])
def test_normal_has_its_deviation_and_no_bound(stddev: float) -> None:
    drawn = np.asarray(Normal(stddev)(jax.random.key(0), SHAPE)) / stddev
    assert drawn.mean() == pytest.approx(0.0, abs=0.02)
    assert drawn.std() == pytest.approx(1.0, rel=0.01)
    # Shares of a normal distribution within one and two deviations.
    assert (abs(drawn) < 1).mean() == pytest.approx(0.6827, abs=0.01)
    assert (abs(drawn) < 2).mean() == pytest.approx(0.9545, abs=0.01)
    assert abs(drawn).max() > 3.5


@pytest.mark.parametrize(("mode", "count"), [("fan_in", 200), ("fan_out", 300), ("fan_avg", 250)])
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_variance_is_scale_over_the_count(
    mode: str, count: int, distribution: str, scale: float
) -> None:
    drawn = VarianceScaling(scale, mode, distribution)(jax.random.key(0), SHAPE)
    assert float(drawn.mean()) == pytest.approx(0.0, abs=2e-3)
    assert float(drawn.var()) == pytest.approx(scale / count, rel=0.03)


def test_distributions_have_their_bounds() -> None:
    def largest(distribution: str) -> float:
        drawn = VarianceScaling(1.0, "fan_in", distribution)(jax.random.key(0), SHAPE)
        return float(jnp.abs(drawn).max()) * 200**0.5

    assert largest("uniform") == pytest.approx(3**0.5, rel=1e-3)
    assert 2.2 < largest("truncated_normal") < 2.28
    assert largest("normal") > 3.5


def test_the_default_is_lecuns() -> None:
    assert VarianceScaling(1.0, "fan_in", "truncated_normal") == LECUN_NORMAL


@pytest.mark.parametrize("init", [Normal(0.5), VarianceScaling()])
def test_initializers_draw_in_the_dtype_and_by_the_key(init: Normal | VarianceScaling) -> None:
    first, second = jax.random.split(jax.random.key(0))
    assert init(first, (2, 2), jnp.bfloat16).dtype == jnp.bfloat16
    np.testing.assert_array_equal(init(first, (2, 2)), init(first, (2, 2)))
    assert (init(first, (2, 2)) != init(second, (2, 2))).all()


def test_a_constant_is_a_value_and_fills_with_it() -> None:
    assert Constant(0.5) == pickle.loads(pickle.dumps(Constant(0.5))) != Constant(0.1)
    filled = Constant(0.5)(jax.random.key(0), (2, 3), jnp.bfloat16)
    assert filled.dtype == jnp.bfloat16
    assert filled.shape == (2, 3)
    assert (filled == 0.5).all()


def test_initializers_are_values() -> None:
    assert Normal(0.02) == Normal(0.02) != Normal(0.03)
    assert hash(VarianceScaling(2.0)) == hash(VarianceScaling(2.0))
    assert repr(Normal(0.02)) == "Normal(stddev=0.02)"
    assert pickle.loads(pickle.dumps(VarianceScaling(2.0))) == VarianceScaling(2.0)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode"):
        VarianceScaling(1.0, "sideways")(jax.random.key(0), SHAPE)  # pyright: ignore
