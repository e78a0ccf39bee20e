"""A session stops training that no longer gets better."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state

from recipes.config import Recipe
from recipes.runs.folder import RunFolder
from recipes.runs.session import Session
from recipes.trainer.checkpoints import Checkpoints, Restored
from recipes.trainer.hooks import every
from recipes.trainer.loop import Trainer


def trained(folder: Path, losses: Iterable[float], patience: int | None) -> list[int]:
    """Steps of the rows of a run whose evaluations, every 5 steps, give these losses."""
    settings = dataclasses.replace(SETTINGS, eval_every=5, patience=patience)
    recipe = dataclasses.replace(Recipe(), trainer=settings)
    measured = iter(losses)
    evaluations = every(5, lambda trainer, row: {"val_loss": next(measured)})
    trainer = Trainer(make_state(), loss=loss, settings=settings, hooks=[evaluations])
    steps = []
    with Session(recipe, RunFolder(folder), trainer, Restored(trainer.state, {})) as session:
        for row in session.rows(Batches()):
            session.keep(row)
            steps.append(row["step"])
    return steps


@pytest.mark.parametrize(
    ("losses", "patience", "last"),
    [
        ([3.0, 2.0, 2.5, 2.4, 1.0], 2, 20),
        ([3.0, 2.0, 2.5, 1.0, 2.0], 2, 23),
        ([3.0, 3.0, 3.0, 3.0, 3.0], 1, 10),
        ([3.0, float("nan"), 3.5, 3.6, 3.7], 2, 15),
        ([3.0, 4.0, 5.0, 6.0, 7.0], None, 23),
    ],
)
def test_training_stops_when_nothing_got_better(
    tmp_path: Path, losses: list[float], patience: int | None, last: int, capsys
) -> None:
    assert trained(tmp_path, losses, patience)[-1] == last
    said = capsys.readouterr().out
    assert ("no better than that of step" in said) == (last < 23)


def test_the_best_step_is_kept_and_named(tmp_path: Path, capsys) -> None:
    trained(tmp_path, [3.0, 2.0, 2.5, 2.4, 1.0], 2)
    assert Checkpoints(tmp_path / "checkpoints").best() == 10
    assert "2 evaluations were no better than that of step 10, which had 2.000" in " ".join(
        capsys.readouterr().out.split()
    )
