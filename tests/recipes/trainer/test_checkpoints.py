from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import pytest
from processes import run_python
from recipes_tiny import SETTINGS, Batches, loss, make_state, saved

from recipes.errors import RecipeError
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 3.0, 2: 1.0, 3: 2.0, 4: 2.5, 5: 2.6})
    assert checkpoints.steps() == [2, 4, 5]
    assert checkpoints.best() == 2


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    state = make_state()
    Checkpoints(tmp_path).save(state, {"val_loss": None, "tokens": 7})
    restored = Checkpoints(tmp_path).restore(make_state(seed=3))
    assert restored.record == {"val_loss": None, "tokens": 7, "step": 0}
    chex.assert_trees_all_equal(restored.state.params, state.params)
    params = Checkpoints(str(tmp_path)).restore_params(make_state(seed=3).params)
    chex.assert_trees_all_equal(params, state.params)


def test_parameters_that_a_model_does_not_have_are_refused(tmp_path: Path) -> None:
    state = make_state()
    Checkpoints(tmp_path).save(state, {"val_loss": None})
    like = {name: part for name, part in state.params.items() if name != "Dense_0"}
    like["more"] = jnp.zeros(3)
    said = r"of another model: params\.Dense_0\.bias is .* and absent here; .*more is absent there"
    with pytest.raises(RecipeError, match=said):
        Checkpoints(tmp_path).restore_params(like)


def test_a_loss_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: float("nan"), 2: 5.0, 3: float("inf"), 4: None})
    assert checkpoints.best() == 2


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_loss_that_is_no_number_is_saved_as_none(tmp_path: Path, value: float) -> None:
    saved(tmp_path, {1: 5.0, 2: value})
    restored = Checkpoints(tmp_path).restore(make_state())
    assert (restored.step, restored.record["val_loss"], restored.damaged) == (2, None, ())


def test_other_names_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None})
    for name in ("step_best1", "step_000002.copy", "notes1"):
        (tmp_path / name).mkdir()
    assert checkpoints.steps() == [1]


def test_keeping_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep=0 must be at least 1"):
        Checkpoints(tmp_path, keep=0)


def test_the_optimiser_comes_back_as_it_was_built(tmp_path: Path) -> None:
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    next(trainer.train(Batches()))
    Checkpoints(tmp_path).save(trainer.state, {})
    restored = Checkpoints(tmp_path).restore(make_state(seed=3)).state
    chex.assert_trees_all_equal(restored.opt_state, trainer.state.opt_state)
    chex.assert_trees_all_equal_dtypes(restored.opt_state, trainer.state.opt_state)
    assert jax.random.key_impl(restored.key) == jax.random.key_impl(trainer.state.key)


LIGHT = """
import sys
from recipes_tiny import make_state
from recipes.trainer.checkpoints import Checkpoints

checkpoints, state = Checkpoints(sys.argv[1]), make_state()
checkpoints.save(state, {})
checkpoints.restore(state)
checkpoints.restore_params(state.params)
assert not {"orbax", "tensorstore"} & sys.modules.keys()
"""


def test_one_process_saves_and_restores_without_orbax(tmp_path: Path) -> None:
    run_python(LIGHT, tmp_path)


OTHER_DEVICE = """
import sys
from pathlib import Path
import jax
import jax.numpy as jnp
from recipes_tiny import make_state
from recipes.trainer.arrays import read_arrays
from recipes.trainer.checkpoints import Checkpoints

state = make_state()
state = state.replace(params=jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.3), state.params))
there, checkpoints = jax.device_put(state, jax.devices()[3]), Checkpoints(Path(sys.argv[1]))
checkpoints.save(there, {})
for template in (there, state):
    print(checkpoints.restore(template).state.step.devices().pop().id)
"""


@pytest.mark.slow
def test_a_checkpoint_of_another_device_is_read(tmp_path: Path) -> None:
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    # Where the template lies, and not where the writer's arrays lay.
    assert run_python(OTHER_DEVICE, tmp_path, **environment) == "3\n0\n"
    restored = Checkpoints(tmp_path).restore(make_state()).state.params
    for params in (restored, Checkpoints(tmp_path).restore_params(make_state().params)):
        kernel = params["Dense_0"]["kernel"]
        chex.assert_trees_all_equal(kernel, jnp.full((4, 16), 0.3))
        assert kernel.devices() == {jax.devices()[0]}


PARTLY_SPLIT = """
import dataclasses
import sys
from pathlib import Path
import chex
import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from recipes_tiny import SETTINGS, Batches, loss, make_state
from recipes.trainer.arrays import read_arrays
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer

mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

def fresh():
    # The step, the key and the optimiser stay where they were made.
    state = make_state()
    return state.replace(params=jax.device_put(state.params, NamedSharding(mesh, PartitionSpec())))

def trained(state, steps, batches):
    settings = dataclasses.replace(SETTINGS, max_steps=steps)
    trainer = Trainer(state, loss=loss, settings=settings)
    list(trainer.train(batches))
    return trainer.state

last = SETTINGS.max_steps
whole = trained(fresh(), last, Batches())
checkpoints = Checkpoints(Path(sys.argv[1]))
checkpoints.save(trained(fresh(), last // 2, Batches()), {})
resumed = trained(checkpoints.restore(fresh()).state, last, Batches(last // 2))
chex.assert_trees_all_equal(jax.device_get(whole.params), jax.device_get(resumed.params))
"""


@pytest.mark.slow
def test_a_state_partly_put_on_devices_goes_on(tmp_path: Path) -> None:
    run_python(PARTLY_SPLIT, tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2")


@pytest.mark.parametrize(("highest", "best"), [(False, 2), (True, 3)])
def test_the_best_is_that_of_the_monitored_value(tmp_path: Path, highest: bool, best: int) -> None:
    checkpoints = Checkpoints(tmp_path, keep=9, monitor="accuracy", highest=highest)
    for step, accuracy in enumerate([0.5, 0.3, 0.8, 0.6], start=1):
        state = make_state()
        record = {"accuracy": accuracy, "val_loss": float(step)}
        checkpoints.save(state.replace(step=state.step + step), record)
    assert checkpoints.best() == best
