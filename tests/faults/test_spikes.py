"""A loss far above those before is said, left out where it is wanted, also after resuming."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import chex
import jax
import numpy as np
import pytest
from recipes_tiny import Batches, make_state, noiseless

from recipes.config import Recipe
from recipes.runs.folder import RunFolder
from recipes.runs.session import Session
from recipes.trainer.checkpoints import Checkpoints, Restored
from recipes.trainer.loop import Trainer
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.spikes import SpikeStep, no_losses
from recipes.trainer.state import TrainState
from recipes.trainer.step import train_step

pytestmark = pytest.mark.fault(27)


class Poisoned(Batches):
    """Targets of some batches are fifty times as large: a loss of some thousand times."""

    def __init__(self, poisoned: tuple[int, ...], position: int = 0):
        super().__init__(position)
        self.poisoned = poisoned

    def __next__(self) -> dict[str, np.ndarray]:
        batch = super().__next__()
        return {**batch, "y": batch["y"] * (50.0 if self.position in self.poisoned else 1.0)}


def judged() -> TrainState:
    new = make_state()
    fields = {"apply_fn": new.apply_fn, "tx": new.tx, "key": new.key}
    return TrainState.create(params=new.params, extra=no_losses(), **fields)


def trained(
    batches: Batches, max_steps: int, state: TrainState | None = None, skip: bool = False
) -> tuple[Trainer, list[dict[str, Any]]]:
    trainer = Trainer(
        judged() if state is None else state,
        loss=noiseless,
        step=SpikeStep(train_step, skip=skip),
        settings=TrainerSettings(max_steps=max_steps, log_every=1),
    )
    return trainer, list(trainer.train(batches))


def spikes(rows: list[dict[str, Any]]) -> list[int]:
    return [row["step"] for row in rows if row["spikes"]]


def test_spikes_are_found_and_ordinary_losses_are_none() -> None:
    assert spikes(trained(Poisoned((70, 90)), 120)[1]) == [70, 90]


def test_before_there_is_something_to_compare_with_nothing_is_one() -> None:
    assert spikes(trained(Poisoned((20,)), 40)[1]) == []


def test_a_loss_that_stays_high_is_soon_none() -> None:
    found = spikes(trained(Poisoned(tuple(range(70, 200))), 150)[1])
    assert found[0] == 70
    assert found[-1] < 140


def test_one_that_is_left_out_changes_nothing_but_the_count_of_steps() -> None:
    before = jax.device_get(trained(Poisoned(()), 69)[0].state)
    after = jax.device_get(trained(Poisoned((70,)), 70, skip=True)[0].state)
    chex.assert_trees_all_equal(after.params, before.params)
    chex.assert_trees_all_equal(after.opt_state, before.opt_state)
    assert after.step == 70
    # Without leaving out, the step changes them.
    changed = jax.device_get(trained(Poisoned((70,)), 70)[0].state)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_equal(changed.params, before.params)


def test_a_resumed_run_judges_as_one_that_never_stopped(tmp_path: Path) -> None:
    whole, rows = trained(Poisoned((70,)), 80)
    first, early = trained(Poisoned((70,)), 68)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(first.state, {})
    state = checkpoints.restore(judged()).state
    second, late = trained(Poisoned((70,), position=68), 80, state)
    assert spikes(rows) == spikes(early + late) == [70]
    chex.assert_trees_all_equal(second.state.extra, whole.state.extra)
    chex.assert_trees_all_equal(second.state.params, whole.state.params)


@pytest.mark.parametrize(
    ("skip", "said"),
    [(False, "--trainer.skip-spikes leaves such steps out"), (True, "it changed nothing")],
)
def test_a_session_says_it(
    tmp_path: Path, skip: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = TrainerSettings(max_steps=80, log_every=10, skip_spikes=skip)
    trainer = Trainer(
        judged(), loss=noiseless, step=SpikeStep(train_step, skip=skip), settings=settings
    )
    recipe = Recipe(trainer=settings)
    with Session(recipe, RunFolder(tmp_path), trainer, Restored(trainer.state, {})) as session:
        for row in session.rows(Poisoned((70,))):
            session.keep(row)
    printed = " ".join(capsys.readouterr().out.split())
    assert "The loss spiked on the way to step 70" in printed
    assert said in printed


def test_a_state_without_averages_is_refused() -> None:
    with pytest.raises(ValueError, match=r"extra=no_losses\(\)"):
        trained(Poisoned(()), 1, make_state())


def test_the_command_has_the_switch(train: Callable[..., int], tmp_path: Path) -> None:
    assert train("a", "--max-steps", "4", "--trainer.skip-spikes") == 0
    assert RunFolder(tmp_path / "a").read_config()["trainer"]["skip_spikes"] is True
