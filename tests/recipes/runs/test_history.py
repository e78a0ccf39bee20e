import math

import pytest

from recipes.runs.history import History


def history(**columns: list[float | None]) -> History:
    """Rows of every ten steps, of which a metric that is NaN is missing."""
    rows = [
        {"step": 10 * number, **{name: value for name, value in values if value != math.inf}}
        for number, values in enumerate(
            ([(name, column[at]) for name, column in columns.items()] for at in range(3)), start=1
        )
    ]
    return History(rows)


def test_the_best_step_is_that_of_the_lowest_finite_validation_loss() -> None:
    assert history(val_loss=[2.0, None, 2.5]).best() == (10, 2.0)
    assert history(val_loss=[3.0, 2.0, 2.0]).best() == (20, 2.0)


@pytest.mark.parametrize("losses", [[None, None, None], [math.inf] * 3])
def test_without_a_finite_validation_loss_there_is_no_best(losses: list[float | None]) -> None:
    assert history(val_loss=losses).best() is None


def test_the_speed_is_that_of_all_steps() -> None:
    found = history(tokens=[100, 200, 300], seconds=[5.0, 6.0, 7.5])
    assert found.tokens_per_second() == pytest.approx(300 / 7.5)
    assert found.throughput().values == pytest.approx([100 / 5.0, 100 / 1.0, 100 / 1.5])


def test_no_time_between_two_rows_is_no_speed() -> None:
    values = history(tokens=[100, 200, 300], seconds=[5.0, 5.0, 6.0]).throughput().values
    assert values == pytest.approx([20.0, math.nan, 100.0], nan_ok=True)


def test_what_is_no_number_is_left_out() -> None:
    found = History([{"step": 1, "note": "x", "flag": True, "list": [1], "train_loss": 2}])
    assert [len(found.series(name).steps) for name in ("note", "flag", "list", "train_loss")] == [
        *(0, 0, 0, 1)
    ]


@pytest.mark.parametrize("value", [math.inf, math.nan, -math.inf, 10**400, None])
def test_what_is_not_finite_is_a_gap(value: float | None) -> None:
    values = History([{"step": 1, "train_loss": value}]).series("train_loss").values
    assert values == pytest.approx([math.nan], nan_ok=True)


def test_a_run_without_rows_has_no_numbers() -> None:
    empty = History()
    assert (empty.last_step, empty.best(), empty.last("train_loss")) == (0, None, None)
    assert empty.tokens_per_second() is None
