"""Rows reach a tracker, and one that fails does not end training.

The packages are stood in for by modules that note how they are called; what is noted are the calls
that the packages document.
"""

import dataclasses
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state

from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.runs.folder import RunFolder
from recipes.runs.session import Session
from recipes.runs.trackers import open_tracker
from recipes.trainer.checkpoints import Restored
from recipes.trainer.loop import Trainer
from recipes.trainer.metrics import read_metrics
from recipes.trainer.settings import TrainerSettings

ROW = {"step": 7, "train_loss": 1.5, "note": "no number", "val_loss": None}


def recipe(tracker: Any) -> Recipe:
    return dataclasses.replace(Recipe(), trainer=TrainerSettings(tracker=tracker))


@pytest.fixture
def calls(monkeypatch) -> list[tuple]:
    """Stands in for the three packages."""
    noted: list[tuple] = []

    def note(name: str) -> Any:
        return lambda *arguments, **options: noted.append((name, arguments, options))

    class SummaryWriter:
        def __init__(self, *arguments: Any, **options: Any):
            note("SummaryWriter")(*arguments, **options)

        add_scalar, close = map(staticmethod, (note("add_scalar"), note("close")))

    board = types.ModuleType("tensorboardX")
    board.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "tensorboardX", board)
    for name in ("wandb", "trackio"):
        module = types.ModuleType(name)
        for function in ("init", "log", "finish"):
            setattr(module, function, note(function))
        monkeypatch.setitem(sys.modules, name, module)
    return noted


def test_tensorboard_gets_scalars_of_later_steps(calls, tmp_path: Path) -> None:
    tracker = open_tracker(recipe("tensorboard"), RunFolder(tmp_path), step=5)
    tracker.log(ROW)
    tracker.close()
    assert calls == [
        ("SummaryWriter", (str(tmp_path / "tensorboard"),), {"purge_step": 6}),
        ("add_scalar", ("train_loss", 1.5, 7), {}),
        ("close", (), {}),
    ]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_hosted_one_gets_settings_and_numbers(calls, tmp_path: Path, name: str) -> None:
    tracker = open_tracker(recipe(name), RunFolder(tmp_path / "first"))
    tracker.log(ROW)
    tracker.close()
    settings = recipe(name).as_json()
    assert calls == [
        ("init", (), {"project": "linen-blocks", "group": "first", "config": settings}),
        ("log", ({"train_loss": 1.5},), {"step": 7}),
        ("finish", (), {}),
    ]


@pytest.mark.parametrize(
    ("name", "package"),
    [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("trackio", "trackio")],
)
def test_a_package_that_is_missing_is_named(monkeypatch, tmp_path, name, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        RecipeError, match=f"needs the package {package}. Run pip install {package}"
    ):
        open_tracker(recipe(name), RunFolder(tmp_path))


def test_no_tracker_takes_rows_too(tmp_path: Path) -> None:
    tracker = open_tracker(recipe(None), RunFolder(tmp_path))
    tracker.log(ROW)
    tracker.close()


def test_one_that_fails_is_named_once_and_training_goes_on(
    calls, monkeypatch, tmp_path: Path, capsys: Any
) -> None:
    def fail(row: Any, step: int) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(sys.modules["wandb"], "log", fail)
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    folder = RunFolder(tmp_path)
    with Session(recipe("wandb"), folder, trainer, Restored(trainer.state, {})) as session:
        for row in session.rows(Batches()):
            session.keep(row)
    said = capsys.readouterr().out
    assert said.count("The tracker failed: ConnectionError('no network')") == 1
    assert [row["step"] for row in read_metrics(folder.metrics)] == [5, 10, 15, 20, 23]
    assert ("finish", (), {}) not in calls


def test_one_that_fails_at_its_end_is_named(
    calls, monkeypatch, tmp_path: Path, capsys: Any
) -> None:
    def fail() -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr(sys.modules["trackio"], "finish", fail)
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    saved = Restored(trainer.state, {})
    with Session(recipe("trackio"), RunFolder(tmp_path), trainer, saved):
        pass
    assert "The tracker failed: TimeoutError('no answer')" in capsys.readouterr().out
