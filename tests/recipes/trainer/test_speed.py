"""Tokens per second, and the share of the arithmetic that devices can do."""

import pytest

from recipes.trainer.speed import Speed


def test_speed_is_that_since_the_last_call() -> None:
    # 10 and 20 tokens per second, at 5 operations per token of 1000 per second.
    speed = Speed(flops=5.0, peak=1000.0, tokens=100, seconds=7.0)
    rows = [{"tokens": 140, "seconds": 11.0}, {"tokens": 180, "seconds": 13.0}]
    assert [speed(None, row) for row in rows] == [
        pytest.approx({"tokens_per_second": 10.0, "mfu": 0.05}),
        pytest.approx({"tokens_per_second": 20.0, "mfu": 0.1}),
    ]


def test_without_a_peak_there_is_no_share() -> None:
    assert Speed(flops=5.0)(None, {"tokens": 8, "seconds": 2.0}) == {"tokens_per_second": 4.0}


def test_a_clock_that_stands_still_has_no_speed() -> None:
    assert Speed(flops=5.0, peak=9.0)(None, {"tokens": 8, "seconds": 0.0}) == {}
