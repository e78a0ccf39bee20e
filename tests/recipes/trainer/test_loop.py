import itertools
import time
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path

import chex
import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from processes import run_python
from recipes_tiny import SETTINGS, Batches, loss, make_state

from blocks import checked
from recipes.config import GPTConfig
from recipes.data.batches import TrainingBatches, training_batches
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt, next_token_loss
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.hooks import every
from recipes.trainer.loop import Row, Trainer
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState
from recipes.trainer.step import train_step


def without_time(rows: list[Row]) -> list[Row]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def trained(
    state: TrainState, position: int = 0, batches: Iterable | None = None, **options: object
) -> tuple[Trainer, list[Row]]:
    trainer = Trainer(state, loss=loss, settings=SETTINGS, **options)
    return trainer, list(trainer.train(Batches(position) if batches is None else batches))


def test_rows_come_at_multiples_at_evaluations_and_at_the_end() -> None:
    trainer, rows = trained(make_state())
    assert [row["step"] for row in rows] == [5, 10, 15, 20, 23]
    assert rows[-1]["tokens"] == 23 * 8
    assert trainer.position == {"position": 23}


def test_no_rows_come_but_those_that_were_asked_for() -> None:
    settings = TrainerSettings(max_steps=20, log_every=8)
    trainer = Trainer(make_state(), loss=loss, settings=settings)
    assert [row["step"] for row in trainer.train(Batches())] == [8, 16, 20]


def test_a_hook_is_called_at_its_steps_and_the_last_and_adds_to_their_rows() -> None:
    called = []

    def doubled(trainer: Trainer, row: Row) -> Row:
        called.append((int(trainer.state.step), row["step"]))
        return {"twice": 2 * row["step"]}

    hooks = [every(10, doubled), every(7, lambda trainer, row: None)]
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS, hooks=hooks)
    rows = list(trainer.train(Batches()))
    assert [row["step"] for row in rows] == [5, 7, 10, 14, 15, 20, 21, 23]
    assert called == [(10, 10), (20, 20), (23, 23)]
    assert [row.get("twice") for row in rows] == [None, None, 20, None, None, 40, None, 46]


def test_a_hook_needs_a_step() -> None:
    with pytest.raises(RecipeError, match=r"every\(0\) must be at least 1 step"):
        every(0)


BATCH = next(Batches())


@pytest.mark.parametrize(
    "batches",
    [
        [BATCH] * 23,
        (BATCH for _ in range(99)),
        grain.MapDataset.source([BATCH]).repeat(23),
        grain.MapDataset.source([BATCH]).repeat(23).to_iter_dataset(),
    ],
    ids=["list", "generator", "grain map", "grain iter"],
)
def test_batches_of_any_iterable(batches: Iterable[dict]) -> None:
    expected = without_time(trained(make_state(), batches=itertools.repeat(BATCH))[1])
    assert without_time(trained(make_state(), batches=batches)[1]) == expected


def test_batches_that_are_tuples_and_a_loss_that_is_a_number() -> None:
    def plain(apply_fn, params, batch, key):
        x, y = batch
        return loss(apply_fn, params, {"x": x, "y": y}, key)[0]

    trainer = Trainer(make_state(), loss=plain, settings=SETTINGS)
    pairs = map(itemgetter("x", "y"), itertools.repeat(BATCH))
    expected = trained(make_state(), batches=itertools.repeat(BATCH))[1]
    assert without_time(list(trainer.train(pairs))) == without_time(expected)


def test_numbers_in_a_batch_are_arrays_too() -> None:
    def scaled(apply_fn, params, batch, key):
        return loss(apply_fn, params, BATCH, key)[0] * batch[1]

    trainer = Trainer(make_state(), loss=scaled, settings=SETTINGS)
    assert next(trainer.train([(BATCH["x"], 2.0)] * 23))["tokens"] == 5 * 8


def test_a_loss_for_each_example_is_no_number() -> None:
    trainer = Trainer(make_state(), loss=lambda *_: jnp.ones(8), settings=SETTINGS)
    with pytest.raises(ValueError, match=r"loss has shape \(8,\) and must be one number; take its"):
        next(trainer.train(Batches()))


def test_a_step_of_ones_own_takes_the_place_of_the_trainers() -> None:
    def counted(state: TrainState, batch: dict, **options: object) -> tuple[TrainState, dict]:
        state, metrics = train_step(state, batch, loss=loss)
        return state, {**metrics, "ones": metrics["weight"] * 0.0 + 1.0}

    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS, step=counted)
    assert [row["ones"] for row in trainer.train(Batches())] == [1.0] * 5


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


@pytest.fixture
def _optimised() -> Iterator[None]:
    """The programs that a user runs, in which operations are fused."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.mark.usefixtures("_optimised")
def test_resuming_is_exact_across_an_epochs_end_and_optimised(tmp_path: Path) -> None:
    def windows() -> TrainingBatches:
        # 57 windows: an epoch ends within the 8th batch, and the 15th, and the 22nd.
        return training_batches(np.arange(61), context=4, batch_size=8, seed=0)

    def windows_loss(apply_fn, params, batch, key):
        scaled = {"x": batch["inputs"] / 61.0, "y": batch["targets"][:, :1] / 61.0}
        return loss(apply_fn, params, scaled, key)

    whole = Trainer(make_state(), loss=windows_loss, settings=SETTINGS)
    expected = list(whole.train(windows()))

    first = Trainer(make_state(), loss=windows_loss, settings=SETTINGS)
    rows = list(itertools.islice(first.train(windows()), 3))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(first.state, {"position": first.position, "tokens": first.tokens})
    restored = checkpoints.restore(make_state(seed=9))
    batches = windows()
    batches.set_state(restored.record["position"])
    second = Trainer(
        restored.state, loss=windows_loss, settings=SETTINGS, tokens=restored.record["tokens"]
    )
    rows += second.train(batches)

    assert [row["step"] for row in rows] == [5, 10, 15, 20, 23]
    assert without_time(rows) == without_time(expected)
    assert second.position == whole.position
    chex.assert_trees_all_equal(second.state.params, whole.state.params)
    chex.assert_trees_all_equal(second.state.opt_state, whole.state.opt_state)


def test_a_run_compiles_one_program() -> None:
    # Groups of 5 and, at the end, of 3.
    trainer = Trainer(make_state(), loss=chex.assert_max_traces(loss, n=1), settings=SETTINGS)
    assert len(list(trainer.train(Batches()))) == 5
    assert trainer.compile_seconds > 0.0


def test_the_time_of_a_row_is_that_of_the_steps_so_far() -> None:
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS, seconds=100.0)
    times = []
    for row in trainer.train(Batches()):
        times.append(row["seconds"])
        time.sleep(0.3)  # what is done with a row is not training
    assert times == sorted(times)
    assert 100.0 < times[-1] < 100.0 + 4 * 0.3


def test_batches_that_end_are_an_error() -> None:
    class Short(Batches):
        def __next__(self) -> dict[str, np.ndarray]:
            if self.position == 12:
                raise StopIteration
            return super().__next__()

    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    with pytest.raises(RecipeError, match="The batches end before step 15 of 23"):
        list(trainer.train(Short()))


@pytest.mark.parametrize("odd", [{3}, {6}, {6, 7, 8, 9, 10}])
def test_a_batch_unlike_the_one_before_is_refused(odd: set[int]) -> None:
    class Odd(Batches):
        def __next__(self) -> dict[str, np.ndarray]:
            batch = super().__next__()
            return {k: v[:7] for k, v in batch.items()} if self.position in odd else batch

    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    with pytest.raises(ValueError, match=r"A batch holds .*float32\[.* and the one before"):
        list(trainer.train(Odd()))


def test_a_finished_state_trains_no_further() -> None:
    state = make_state()
    assert trained(state.replace(step=state.step + 23))[1] == []


SPLIT = """
import chex
import grain
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from recipes_tiny import SETTINGS, Batches, loss, make_state
from recipes.trainer.hooks import every
from recipes.trainer.loop import Trainer

mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))

def place(leaf):
    # Biases whole beside split kernels: the compiler would rather split them too.
    split = PartitionSpec(None, "data") if leaf.shape == (4, 16) else PartitionSpec()
    return NamedSharding(mesh, split)

states = [make_state(), make_state()]
places = jax.tree.map(place, states[1])
states[1] = jax.device_put(states[1], places)
for index, state in enumerate(states):
    trainer = Trainer(state, loss=loss, settings=SETTINGS)
    list(trainer.train(Batches()))
    states[index] = trainer.state
whole, split = states
"""


@pytest.mark.parametrize(
    "what",
    [
        "chex.assert_trees_all_close(whole.params, jax.device_get(split.params), atol=1e-5)",
        "assert jax.tree.map(lambda leaf: leaf.sharding, split) == places",
    ],
    ids=["trains as one that is whole", "stays where it was put"],
)
def test_a_state_split_over_devices(what: str) -> None:
    run_python(SPLIT + what, XLA_FLAGS="--xla_force_host_platform_device_count=4")


def test_debug_checks_name_the_value_that_a_block_refuses() -> None:
    model = build_gpt(GPTConfig(num_layers=1, num_heads=1, features=4, context=4, vocab_size=9))
    tokens = np.zeros((2, 4), np.int32)
    bad = np.where(np.arange(4) == 2, 9, tokens)
    batches = [{"inputs": inputs, "targets": tokens} for inputs in (tokens, tokens, bad)]
    settings = TrainerSettings(max_steps=3, log_every=1, debug_checks=True)
    params = model.init(jax.random.key(0), tokens)["params"]
    state = TrainState.create(
        apply_fn=model.apply, params=params, tx=optax.sgd(0.1), key=jax.random.key(1)
    )
    trainer = Trainer(state, loss=next_token_loss, settings=settings, checks=checked)
    rows = trainer.train(batches)
    assert [next(rows)["step"], next(rows)["step"]] == [1, 2]
    with pytest.raises(ValueError, match="TokenEmbedding at `embed`: token ids from 0 to 9"):
        next(rows)


def test_debug_checks_need_what_checks() -> None:
    settings = TrainerSettings(debug_checks=True)
    with pytest.raises(ValueError, match=r"give checks=blocks\.checked"):
        Trainer(make_state(), loss=loss, settings=settings)
