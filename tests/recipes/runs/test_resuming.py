"""Runs of the recipe, in this process, on a small model: stopped, damaged, moved and resumed."""

import json
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import ended, start_python, wait_until
from small_recipe import SMALL, TEXT
from small_runs import SIXTY, assert_same_course, rows

from recipes.commands import main
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.metrics import MetricsFile

Run = Callable[..., int]


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has this process send itself signals while the row of a step is written."""
    append = MetricsFile.append

    def at(step: int, *signals: signal.Signals) -> None:

        def append_and_send(self: MetricsFile, row: dict[str, Any]) -> None:
            append(self, row)
            if row["step"] == step:
                for number in signals:
                    os.kill(os.getpid(), number)

        monkeypatch.setattr(MetricsFile, "append", append_and_send)

    return at


def test_a_run_folder_is_complete(
    tmp_path: Path, train: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("a", "--max-steps", "40") == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed  # plain where the output is no terminal
    assert f"a uniform guess has {math.log(len(set(TEXT))):.3f} nats" in printed
    assert f"next            python -m recipes.nanogpt sample {tmp_path / 'a'}" in printed

    names = {path.name for path in (tmp_path / "a").iterdir() if path.name[0] != "."}
    assert names == {
        *("config.json", "env.json", "metrics.jsonl", "samples", "checkpoints", "tokenizer.json"),
        *("curve.svg", "report.html"),
    }
    table = rows(tmp_path / "a")
    assert [row["step"] for row in table] == [10, 20, 30, 40]
    assert [row["tokens"] for row in table] == [4 * 16 * step for step in (10, 20, 30, 40)]
    assert all("train_loss" in row for row in table)
    assert [row["step"] for row in table if "val_loss" in row] == [20, 40]
    texts = sorted((tmp_path / "a" / "samples").iterdir())
    assert [path.name for path in texts] == ["step_000020.txt", "step_000040.txt"]
    assert texts[1].read_text() in printed
    settings = json.loads((tmp_path / "a" / "config.json").read_text())
    assert settings["model"]["vocab_size"] == len(set(TEXT))
    assert settings["trainer"]["max_steps"] == 40


def test_training_learns_the_text(tmp_path: Path, train: Run) -> None:
    options = ("--optimizer.learning-rate", "0.01", "--model.dropout-rate", "0")
    assert train("a", "--max-steps", "300", "--trainer.eval-every", "300", *options) == 0
    # Words of a fixed sentence are certain once its place in it is known.
    assert rows(tmp_path / "a")[-1]["val_loss"] < 0.2 * math.log(len(set(TEXT)))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_and_resumed_run_equals_one_that_never_stopped(
    tmp_path: Path,
    train: Run,
    whole: Path,
    send: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    send(20, number)
    assert train("parts", *SIXTY) == code
    folder = tmp_path / "parts"
    assert f"Stopped by {number.name} after step 30, which is saved." in capsys.readouterr().out
    assert [row["step"] for row in rows(folder)] == [10, 20, 30]
    # In the words that it printed: the run knows its own settings.
    assert main(["train", "--run-dir", str(folder), "--resume", "auto"]) == 0
    assert_same_course(folder, whole)


def test_a_second_interrupt_stops_at_once(
    tmp_path: Path, train: Run, send: Callable[..., None]
) -> None:
    send(10, signal.SIGINT, signal.SIGINT)
    assert train("a", *SIXTY) == 130
    assert [row["step"] for row in rows(tmp_path / "a")] == [10]
    assert Checkpoints(tmp_path / "a" / "checkpoints").steps() == []


@pytest.mark.slow
def test_a_run_that_never_saved_starts_anew(
    tmp_path: Path, train: Run, whole: Path, send: Callable[..., None]
) -> None:
    send(10, signal.SIGINT, signal.SIGINT)
    assert train("a", *SIXTY) == 130
    send(0)
    assert train("a", *SIXTY, "--resume", "auto") == 0
    assert_same_course(tmp_path / "a", whole)


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, corpus: Path, train: Run, whole: Path
) -> None:
    folder = tmp_path / "parts"
    arguments = [*SMALL, "--data", str(corpus), "--run-dir", str(folder), *SIXTY]
    # Of the tests' settings, so that both compile the same program.
    start = (
        "import jax, sys; jax.config.update('jax_disable_most_optimizations', True); "
        "from recipes.commands import main; main(sys.argv[1:])"
    )
    process = start_python(start, *arguments, stdout=subprocess.DEVNULL)
    wait_until(lambda: list(folder.glob("checkpoints/step_*")), process)
    process.kill()
    ended(process)
    assert train("parts", *SIXTY, "--resume", "auto") == 0
    assert_same_course(folder, whole)


def test_a_moved_run_is_sampled_evaluated_and_trained_on(
    tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "elsewhere" / "b"
    shutil.copytree(whole, moved)

    assert main(["eval", str(moved)]) == 0
    measured = float(capsys.readouterr().out.split("nats per token")[1].split()[0])
    best = min(row["val_loss"] for row in rows(moved) if "val_loss" in row)
    np.testing.assert_allclose(measured, best, atol=1e-4)

    assert main(["sample", str(moved), "--prompt", "the ", "--tokens", "40"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("the ")
    assert len(text) == len("the ") + 40 + len("\n")

    assert main(["train", "--run-dir", str(moved), "--resume", "auto", "--max-steps", "80"]) == 0
    assert [row["step"] for row in rows(moved)] == [10, 20, 30, 40, 50, 60, 70, 80]


@pytest.mark.slow
def test_training_on_after_the_end_keeps_the_learning_rates_of_the_plan(
    tmp_path: Path, train: Run, whole: Path
) -> None:
    """The decay was planned for 60 steps and stays so, however many are trained."""
    assert train("a", "--max-steps", "20", "--optimizer.decay-steps", "60") == 0
    again = tmp_path / "a"
    assert main(["train", "--run-dir", str(again), "--resume", "auto", "--max-steps", "60"]) == 0
    assert_same_course(again, whole)
