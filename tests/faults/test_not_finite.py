"""Gradients that are not finite: skipped, counted, and the end of a run that has no others."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state

from recipes.commands import main
from recipes.config import Recipe
from recipes.nanogpt import build_gpt, initial_state
from recipes.runs.folder import RunFolder
from recipes.runs.published import load_run
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer
from recipes.trainer.not_finite import NotFiniteError
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.step import train_step

Run = Callable[..., int]
# Adam moves each weight by the rate: after a step of the first rate the sums of a layer overflow.
HOPELESS, BEARABLE = "1e30", "0.003"


@pytest.mark.fault(26)
def test_a_gradient_that_is_not_finite_changes_only_the_count() -> None:
    state = make_state()
    new, metrics = train_step(state, next(Batches(bad=(1,))), loss=loss)
    chex.assert_trees_all_equal(new.params, state.params)
    chex.assert_trees_all_equal(new.opt_state, state.opt_state)
    assert (int(new.step), int(metrics["skipped"])) == (1, 1)
    assert int(train_step(new, next(Batches()), loss=loss)[0].skipped) == 0


@pytest.mark.fault(26)
def test_single_bad_gradients_are_counted_and_left_out_of_the_mean() -> None:
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    rows = list(trainer.train(Batches(bad=(3, 12))))
    assert [row["skipped"] for row in rows] == [1, 0, 1, 0, 0]
    assert all(np.isfinite(row["train_loss"]) for row in rows)


@pytest.mark.fault(26)
def test_too_many_stop_the_run_keep_the_parameters_and_tell_the_batches() -> None:
    settings = TrainerSettings(max_steps=20, log_every=5, max_skipped=4)
    trainer = Trainer(make_state(), loss=loss, settings=settings)
    with pytest.raises(NotFiniteError, match="not finite in the last 4 steps, up to step 5") as end:
        list(trainer.train(Batches(bad=tuple(range(2, 21)))))
    assert end.value.row["skipped"] == 4
    # The second to the fifth batch, of which the targets are poisoned.
    clean = Batches()
    expected = np.stack([next(clean)["x"] for _ in range(5)][1:])
    np.testing.assert_array_equal(end.value.batches["x"], expected)
    assert np.isnan(end.value.batches["y"]).all()
    once = train_step(make_state(), next(Batches()), loss=loss)[0]
    chex.assert_trees_all_close(trainer.state.params, once.params, rtol=1e-5)


@pytest.fixture
def failed(tmp_path: Path, train: Run) -> Path:
    """A run whose first update made every later gradient overflow."""
    options = ("--lr", HOPELESS, "--optimizer.min-learning-rate", BEARABLE)
    assert train("run", "--max-steps", "60", *options, "--trainer.eval-every", "60") == 2
    return tmp_path / "run"


@pytest.mark.fault(26, 48)
def test_the_last_finite_state_and_the_batches_are_saved_before_any_evaluation(
    failed: Path,
) -> None:
    rows = [json.loads(line) for line in (failed / "metrics.jsonl").read_text().splitlines()]
    last = rows[-1]["step"]
    assert not any("val_loss" in row for row in rows)
    assert Checkpoints(failed / "checkpoints").steps() == [last]
    leaves = jax.tree.leaves(load_run(failed).params)
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    with np.load(failed / "not_finite.npz") as batches:
        assert batches["inputs"].shape[1:] == (4, 16)
        assert len(batches["inputs"]) == rows[-1]["skipped"]


@pytest.mark.fault(48, 57)
@pytest.mark.slow
def test_the_advice_after_it_can_be_followed(
    tmp_path: Path, train: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step 20 is evaluated and saved, but its parameters are those that fail."""
    failed = tmp_path / "run"
    options = ("--lr", HOPELESS, "--optimizer.min-learning-rate", BEARABLE)
    assert train("run", "--max-steps", "60", *options) == 2
    error = capsys.readouterr().err
    assert "not finite in the last 29 steps, up to step 30" in error
    fix = error.splitlines()[1]
    command = shlex.split(fix.partition("python -m recipes.nanogpt ")[2])
    assert main(command) == 0
    config = json.loads((failed / "config.json").read_text())
    assert config["optimizer"]["learning_rate"] == 0.001
    rows = [json.loads(line) for line in (failed / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [10, 20, 30, 40, 50, 60]
    assert not any(row["skipped"] for row in rows)


@pytest.mark.fault(48)
def test_a_run_that_goes_on_from_it_may_skip_as_many_again(failed: Path) -> None:
    recipe = Recipe.from_json(RunFolder(failed).read_config())
    template = initial_state(recipe, build_gpt(recipe.model))
    assert int(Checkpoints(failed / "checkpoints").restore(template).state.skipped) == 0
