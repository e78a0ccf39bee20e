"""Averages of parameters, as a formula says, and through a checkpoint."""

from pathlib import Path

import chex
import jax
import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state

from recipes.trainer.averaging import AveragedStep
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState


def averaging() -> TrainState:
    new = make_state()
    extra = {"average": new.params}
    fields = {"apply_fn": new.apply_fn, "tx": new.tx, "key": new.key}
    return TrainState.create(params=new.params, extra=extra, **fields)


def test_the_average_is_that_of_the_formula() -> None:
    state = averaging()
    expected = jax.device_get(state.params)
    settings = TrainerSettings(max_steps=12, log_every=1)
    trainer = Trainer(state, loss=loss, settings=settings, step=AveragedStep(0.5))
    for row in trainer.train(Batches()):
        # (1 + t) / (10 + t) reaches a half at step 8.
        decay = min(0.5, (1 + row["step"]) / (10 + row["step"]))
        now = jax.device_get(trainer.state.params)
        expected = jax.tree.map(lambda a, b, d=decay: d * a + (1 - d) * b, expected, now)
        chex.assert_trees_all_close(trainer.state.extra["average"], expected, rtol=1e-5)


def test_the_average_is_resumed_to_the_bit(tmp_path: Path) -> None:
    whole = Trainer(averaging(), loss=loss, settings=SETTINGS, step=AveragedStep(0.9))
    list(whole.train(Batches()))
    first = Trainer(averaging(), loss=loss, settings=SETTINGS, step=AveragedStep(0.9))
    next(first.train(Batches()))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(first.state, dict(first.position))
    restored = checkpoints.restore(averaging())
    second = Trainer(restored.state, loss=loss, settings=SETTINGS, step=AveragedStep(0.9))
    list(second.train(Batches(restored.record["position"])))
    chex.assert_trees_all_equal(second.state.extra, whole.state.extra)


def test_a_state_without_an_average_is_refused() -> None:
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS, step=AveragedStep(0.9))
    with pytest.raises(ValueError, match=r"create it with TrainState\.create"):
        next(trainer.train(Batches()))


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range(decay: float) -> None:
    with pytest.raises(ValueError, match=f"decay={decay} must be"):
        AveragedStep(decay)
