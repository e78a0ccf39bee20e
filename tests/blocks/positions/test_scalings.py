"""Scalings of rotary positions, against the rules of their papers computed pair by pair."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.attention_inputs import placed

from blocks import Llama3Scaling, RoPE, YaRN
from blocks.context import Coordinates
from blocks.positions import DynamicNTKScaling, LinearScaling, LongRoPE, NTKScaling, RoPEScaling

THETA, FEATURES, TRAINED = 10_000.0, 64, 128
PAIRS = FEATURES // 2


def plain(theta: float = THETA) -> list[float]:
    return [theta ** (-2.0 * pair / FEATURES) for pair in range(PAIRS)]


def got(scaling: RoPEScaling) -> np.ndarray:
    return np.asarray(scaling(jnp.asarray(plain(), jnp.float32), THETA))


def test_linear_divides_all() -> None:
    np.testing.assert_allclose(got(LinearScaling(4.0)), [w / 4.0 for w in plain()], rtol=1e-5)


def test_ntk_raises_the_base() -> None:
    want = plain(THETA * 4.0 ** (FEATURES / (FEATURES - 2)))
    np.testing.assert_allclose(got(NTKScaling(4.0)), want, rtol=1e-5)


@pytest.mark.parametrize("length", [64, 128, 129, 1000])
def test_dynamic_ntk_raises_the_base_with_the_length(length: int) -> None:
    factor = 2.0 * max(length, TRAINED) / TRAINED - 1.0
    want = plain(THETA * factor ** (FEATURES / (FEATURES - 2)))
    np.testing.assert_allclose(got(DynamicNTKScaling(2.0, TRAINED, length)), want, rtol=1e-5)


def test_llama3_tells_wavelengths_apart() -> None:
    want = []
    for frequency in plain():
        wavelength = 2.0 * math.pi / frequency
        if wavelength < TRAINED / 4.0:
            want.append(frequency)
        elif wavelength > TRAINED / 1.0:
            want.append(frequency / 8.0)
        else:
            smooth = (TRAINED / wavelength - 1.0) / (4.0 - 1.0)
            want.append((1.0 - smooth) * frequency / 8.0 + smooth * frequency)
    # All three kinds of pairs are there.
    assert want[0] == plain()[0]
    assert want[-1] == plain()[-1] / 8.0
    np.testing.assert_allclose(got(Llama3Scaling(8.0, TRAINED)), want, rtol=1e-5)


@pytest.mark.parametrize("rounded", [True, False])
def test_yarn_blends_between_pairs_that_turn_often_and_seldom(rounded: bool) -> None:
    """The rule of section 3.2, its ramp between whole pairs as in the code of the authors."""

    def pair_with(turns: float) -> float:
        return FEATURES * math.log(TRAINED / (turns * 2 * math.pi)) / (2 * math.log(THETA))

    low, high = pair_with(8.0), pair_with(1.0)
    if rounded:
        low, high = math.floor(low), math.ceil(high)
    want = []
    for pair, frequency in enumerate(plain()):
        share = min(max((pair - low) / (high - low), 0.0), 1.0)
        want.append((1.0 - share) * frequency + share * frequency / 16.0)
    scaling = YaRN(16.0, TRAINED, fast=8.0, rounded=rounded)
    np.testing.assert_allclose(got(scaling), want, rtol=1e-5)
    assert scaling.magnitude == pytest.approx(0.1 * math.log(16.0) + 1.0)
    assert YaRN(16.0, TRAINED, growth=1.5).magnitude == 1.5


def test_longrope_divides_one_by_one() -> None:
    factors = tuple(1.0 + pair for pair in range(PAIRS))
    want = [w / f for w, f in zip(plain(), factors, strict=True)]
    np.testing.assert_allclose(got(LongRoPE(factors)), want, rtol=1e-5)
    growth = LongRoPE.growth_of(32.0, 4096)
    assert LongRoPE(factors, growth).magnitude == pytest.approx(math.sqrt(1 + 5 / 12))
    assert LongRoPE.growth_of(0.5, 4096) == 1.0


def test_growth_multiplies_what_is_turned_and_nothing_else() -> None:
    at = Coordinates(jnp.arange(3)[None], jnp.arange(3)[None])
    x = jax.random.normal(jax.random.key(0), (1, 3, 2, 8))
    plain, grown = (
        RoPE(fraction=0.5, scaling=scaling).apply({}, x, x, placed(at))[0]
        for scaling in (LongRoPE((1.0, 1.0)), LongRoPE((1.0, 1.0), growth=3.0))
    )
    np.testing.assert_allclose(grown[..., :4], 3.0 * plain[..., :4], rtol=1e-6)
    np.testing.assert_array_equal(grown[..., 4:], x[..., 4:])


def test_another_theta_is_never_served_from_the_tables_of_the_first() -> None:
    at = Coordinates(jnp.arange(3)[None], jnp.arange(3)[None])
    x = jax.random.normal(jax.random.key(0), (1, 3, 2, 8))
    first = RoPE(theta=10_000.0).apply({}, x, x, placed(at))[0]
    second = RoPE(theta=100.0).apply({}, x, x, placed(at))[0]
    assert float(jnp.abs(first - second).max()) > 0.01


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LinearScaling(0.0), ValueError, r"factor=0.0 must be positive"),
        (lambda: YaRN(2.0, -1), ValueError, "trained_length=-1 must be positive"),
        (lambda: Llama3Scaling(2.0, 8, slow=4.0), ValueError, "slow=4.0 must be below fast=4.0"),
        (lambda: LinearScaling("2"), TypeError, "LinearScaling: field `factor` cannot hold this"),
        (lambda: RoPE(scaling="yarn"), TypeError, "RoPE: field `scaling` cannot hold this"),
        (lambda: got(LongRoPE((1.0,))), ValueError, "1 factors do not fit 32 turning pairs"),
    ],
)
def test_what_cannot_be_is_refused(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()
