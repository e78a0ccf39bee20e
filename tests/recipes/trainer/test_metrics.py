from pathlib import Path

import pytest

from recipes.errors import RecipeError
from recipes.trainer.metrics import MetricsFile, read_metrics

ROWS = b'{"step": 5}\n{"step": 10}\n'


def test_later_rows_stay_until_the_new_course_has_saved_a_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(ROWS + b'{"step": 15}\n')
    metrics = MetricsFile(path, rows=ROWS)
    metrics.append({"step": 11})
    assert [row["step"] for row in read_metrics(path)] == [5, 10, 15]
    metrics.settle()
    metrics.append({"step": 12})
    assert [row["step"] for row in read_metrics(path)] == [5, 10, 11, 12]
    assert metrics.rows == path.read_bytes()


def test_rows_are_appended_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(ROWS)
    MetricsFile(path, rows=ROWS).append({"step": 11})
    assert path.read_bytes() == ROWS + b'{"step": 11}\n'


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsFile(path).append({"step": 1, "train_loss": float("nan"), "grad_norm": float("inf")})
    assert path.read_text() == '{"step": 1, "train_loss": null, "grad_norm": null}\n'


def test_an_incomplete_last_line_is_no_row_and_a_complete_one_without_a_break_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(ROWS + b'{"step": 1')
    assert [row["step"] for row in read_metrics(path)] == [5, 10]
    path.write_bytes(ROWS.rstrip())
    assert [row["step"] for row in read_metrics(path)] == [5, 10]


WRONG = [
    "nonsense",
    '{"loss": 1.0}',
    "3",
    "null",
    '{"step": "3"}',
    '{"step": 1e999}',
    '{"step": -1}',
    '{"step": 1' + 40 * "0" + "}",
    "[" * 100_000,
]


@pytest.mark.parametrize("line", WRONG, ids=range(len(WRONG)))
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(RecipeError, match=r"Line 2 of '.*metrics.jsonl' is not a row"):
        read_metrics(path)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "missing" / "metrics.jsonl")
    with pytest.raises(RecipeError, match=r"'.*metrics.jsonl' cannot be written: No such file"):
        metrics.append({"step": 1})


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RecipeError, match=r"'.*metrics.jsonl' cannot be read: Is a directory"):
        MetricsFile(tmp_path / "metrics.jsonl")
