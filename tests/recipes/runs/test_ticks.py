import math

import numpy as np
import pytest

from recipes.runs.ticks import axis_for, labels, log_ticks, ticks

RANGES = [(0.0, 1.0), (1.43, 4.31), (0.0, 600_000.0), (-3.0, 7.0), (1e-9, 3e-9), (5.0, 5.001)]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float) -> None:
    found = ticks(low, high)
    steps = np.diff(found)
    assert 2 <= len(found) <= 8
    assert low - 1e-12 <= found[0] < found[-1] <= high * (1 + 1e-12)
    assert steps == pytest.approx(steps[0], rel=1e-6)
    leading = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9)
    assert round(leading, 6) in (1, 2, 5)


@pytest.mark.parametrize(("low", "high"), [(0.1, 1.0), (0.02, 9.0), (1.5, 15.1), (1e-12, 1e12)])
def test_ticks_of_a_logarithmic_axis_are_few_and_inside(low: float, high: float) -> None:
    found = log_ticks(low, high)
    assert 2 <= len(found) <= 10
    assert all(low <= value <= high for value in found)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_labels_differ_where_the_ticks_do(low: float, high: float) -> None:
    found = ticks(low, high)
    assert len(set(labels(found))) == len(found)


def test_the_range_is_wider_than_the_values() -> None:
    axis = axis_for(np.array([2.0, 3.0]), 300.0, 0.0)
    assert axis.low < 2.0 < 3.0 < axis.high


def test_a_rate_is_drawn_from_zero() -> None:
    assert axis_for(np.array([90.0, 100.0]), 300.0, 0.0, from_zero=True).low == 0.0
