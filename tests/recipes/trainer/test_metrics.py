import json
from pathlib import Path

import pytest

from recipes.errors import RecipeError
from recipes.trainer.metrics import MetricsFile, read_metrics


def test_metrics_after_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    for step in (5, 10, 15):
        metrics.append({"step": step})
    path.write_text(path.read_text() + '{"step": 2')  # killed while writing
    MetricsFile(path, after_step=10).append({"step": 11})
    assert [row["step"] for row in read_metrics(path)] == [5, 10, 11]
    assert [json.loads(line) for line in path.read_text().splitlines()] == read_metrics(path)


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsFile(path).append({"step": 1, "train_loss": float("nan"), "grad_norm": float("inf")})
    assert path.read_text() == '{"step": 1, "train_loss": null, "grad_norm": null}\n'


def test_rows_that_stay_are_not_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step":1,  "note": "as it was"}\n{"step": 2}\n')
    MetricsFile(path, after_step=1)
    assert path.read_text() == '{"step":1,  "note": "as it was"}\n'


@pytest.mark.parametrize("line", ["nonsense", '{"loss": 1.0}', "3"])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(RecipeError, match=r"Line 2 of '.*metrics.jsonl' is no row"):
        MetricsFile(path, after_step=1)
    with pytest.raises(RecipeError, match="Line 2"):
        read_metrics(path)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'.*metrics.jsonl' cannot be written: No such file"):
        MetricsFile(tmp_path / "missing" / "metrics.jsonl")
