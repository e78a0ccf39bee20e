"""Going on with a run on the command line: whose settings hold, and which may change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes.commands import main
from recipes.commands.line import parse
from recipes.commands.train import Train

Run = Callable[..., int]


def config(run: Path) -> dict[str, Any]:
    return json.loads((run / "config.json").read_text())


@pytest.fixture
def begun(tmp_path: Path, train: Run, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run of the preset `quick` with options of its own."""
    assert train("run", "--max-steps", "20") == 0
    capsys.readouterr()
    return tmp_path / "run"


@pytest.mark.parametrize("preset", [[], ["quick"]])
def test_what_is_not_given_comes_from_the_run(
    begun: Path, preset: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = config(begun)
    assert main(["train", *preset, "--run-dir", str(begun), "--resume", "auto"]) == 0
    assert "is done: it has 20 of 20 steps" in capsys.readouterr().out
    assert config(begun) == before


def test_another_preset_is_refused_field_by_field(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "shakespeare-char-cpu", "--run-dir", str(begun), "--resume", "auto"]
    assert main([*words, "--data", *config(begun)["data"]]) == 2
    error = capsys.readouterr().err
    assert "model.features is 16 in the run and 128 now" in error
    assert "Leave out the preset" in error


@pytest.mark.slow
def test_a_longer_course_is_printed_and_recorded(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--run-dir", str(begun), "--resume", "auto", "--max-steps", "30"]) == 0
    change = "trainer.max_steps is 20 in the run and 30 now"
    assert f"changed {change}\n" in capsys.readouterr().out
    assert config(begun)["trainer"]["max_steps"] == 30
    assert config(begun)["changes"] == [{"after_step": 20, "settings": [change]}]


@pytest.mark.slow
def test_another_learning_rate_needs_a_word_and_is_recorded(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--run-dir", str(begun), "--resume", "auto", "--max-steps", "30"]
    words += ["--lr", "1e-3"]
    before = config(begun)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "optimizer.learning_rate is 0.003 in the run and 0.001 now" in error
    assert "Add --change" in error
    assert config(begun) == before
    assert main([*words, "--change"]) == 0
    assert "changed optimizer.learning_rate is 0.003" in capsys.readouterr().out
    assert config(begun)["optimizer"]["learning_rate"] == 0.001
    # What was changed is the run's own from then on.
    assert main(["train", "--run-dir", str(begun), "--resume", "auto"]) == 0
    assert config(begun)["optimizer"]["learning_rate"] == 0.001
    assert len(config(begun)["changes"]) == 1


def test_another_kind_of_optimiser_is_refused_even_so(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--run-dir", str(begun), "--resume", "auto", "--optimizer.name", "lion"]
    assert main([*words, "--change"]) == 2
    error = capsys.readouterr().err
    assert "optimizer.name is adamw in the run and lion now" in error
    assert "--change" not in error


@pytest.mark.slow
def test_a_run_begins_anew_at_step_0(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = (begun / "metrics.jsonl").read_text().splitlines()
    assert main(["train", "--run-dir", str(begun), "--resume", "0"]) == 0
    again = (begun / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["train_loss"] for line in again] == [
        json.loads(line)["train_loss"] for line in metrics
    ]


def test_a_change_without_a_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "quick", "--change"]) == 2
    assert "--change is for a run that is resumed" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["--lr", "--learning-rate", "--optimizer.lr", "--lr=0.25"])
def test_a_learning_rate_has_short_names(name: str) -> None:
    words = [name] if "=" in name else [name, "0.25"]
    command = parse(["train", "quick", *words])
    assert isinstance(command, Train)
    assert command.optimizer.learning_rate == 0.25
