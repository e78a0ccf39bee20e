import json
import signal
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from recipes_tiny import NET, SETTINGS, Batches, loss, make_state

from recipes.errors import RecipeError
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.evaluation import evaluate
from recipes.trainer.loop import Row, Trainer
from recipes.trainer.metrics import MetricsFile, read_metrics
from recipes.trainer.settings import AdamWSettings, TrainerSettings
from recipes.trainer.signals import Interrupt
from recipes.trainer.state import TrainState


def without_time(rows: list[Row]) -> list[Row]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def trained(state: TrainState, position: int = 0, **options: object) -> tuple[Trainer, list[Row]]:
    trainer = Trainer(state, loss=loss, settings=SETTINGS, **options)
    return trainer, list(trainer.train(Batches(position)))


def test_rows_come_at_multiples_at_evaluations_and_at_the_end() -> None:
    trainer, rows = trained(make_state())
    assert [row["step"] for row in rows] == [5, 10, 15, 20, 23]
    assert rows[-1]["tokens"] == 23 * 8
    assert trainer.position == {"position": 23}


def test_a_loss_goes_down() -> None:
    state = make_state(learning_rate=1e-2, decay_steps=400)
    trainer = Trainer(state, loss=loss, settings=TrainerSettings(max_steps=400, log_every=50))
    rows = list(trainer.train(Batches()))
    assert rows[-1]["train_loss"] < 0.5 * rows[0]["train_loss"]


@pytest.mark.parametrize("stop", [5, 10, 15, 20])
def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path: Path, stop: int) -> None:
    whole, expected = trained(make_state())
    first = Trainer(make_state(), loss=loss, settings=SETTINGS)
    rows = []
    checkpoints = Checkpoints(tmp_path)
    for row in first.train(Batches()):
        rows.append(row)
        if row["step"] == stop:
            checkpoints.save(first.state, {"tokens": first.tokens, **first.position})
            break
    restored = checkpoints.restore(make_state(seed=5))
    second, rest = trained(
        restored.state, restored.record["position"], tokens=restored.record["tokens"]
    )
    assert without_time(rows + rest) == without_time(expected)
    chex.assert_trees_all_equal(second.state.params, whole.state.params)
    chex.assert_trees_all_equal(second.state.opt_state, whole.state.opt_state)
    assert (jax.random.key_data(second.state.key) == jax.random.key_data(whole.state.key)).all()


def test_a_finished_state_trains_no_further() -> None:
    state = make_state()
    assert trained(state.replace(step=state.step + 23))[1] == []


def test_too_many_bad_gradients_stop_and_keep_the_parameters() -> None:
    state = make_state()
    start = jax.device_get(state.params)
    settings = TrainerSettings(max_steps=20, log_every=5, max_skipped=4)
    trainer = Trainer(state, loss=loss, settings=settings)
    with pytest.raises(RecipeError, match="not finite in the last 5 steps, up to step 5"):
        list(trainer.train(Batches(bad=tuple(range(1, 21)))))
    chex.assert_trees_all_equal(jax.device_get(trainer.state.params), start)


def test_single_bad_gradients_are_counted_and_left_out_of_the_mean() -> None:
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    rows = list(trainer.train(Batches(bad=(3, 12))))
    assert [row["skipped"] for row in rows] == [1, 0, 1, 0, 0]
    assert all(np.isfinite(row["train_loss"]) for row in rows)


def test_evaluation_is_the_weighted_mean_over_all_batches() -> None:
    def counted(apply_fn, params, batch, key):
        return batch["v"].mean(), {"weight": batch["w"][0]}

    batches = [
        {"v": np.float32([1.0]), "w": np.float32([3.0])},
        {"v": np.float32([5.0]), "w": np.float32([1.0])},
    ]
    assert evaluate(NET.apply, {}, batches, counted) == {"loss": 2.0, "weight": 4.0}


def test_metrics_after_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    for step in (5, 10, 15):
        metrics.append({"step": step})
    path.write_text(path.read_text() + '{"step": 2')  # killed while writing
    MetricsFile(path, after_step=10).append({"step": 11})
    assert [row["step"] for row in read_metrics(path)] == [5, 10, 11]
    assert [json.loads(line) for line in path.read_text().splitlines()] == read_metrics(path)


def test_the_first_interrupt_is_noted_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
    assert interrupt.exit_code == 143


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainerSettings(max_steps=0), "max_steps=0 must be at least 1"),
        (lambda: TrainerSettings(log_every=-1), "log_every=-1 must be at least 1"),
        (lambda: AdamWSettings(learning_rate=0.0), "learning_rate=0.0 must be above 0"),
        (lambda: AdamWSettings(min_learning_rate=1.0), "must be from 0 to learning_rate=0.001"),
        (lambda: AdamWSettings(beta2=1.0), "beta2=1.0 must be at least 0 and below 1"),
        (lambda: AdamWSettings(clip_norm=0.0), "clip_norm=0.0 must be above 0"),
        (lambda: AdamWSettings(weight_decay=-0.1), "weight_decay=-0.1 must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()
