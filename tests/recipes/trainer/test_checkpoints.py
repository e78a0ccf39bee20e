import json
import re
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state, run_python

from recipes.errors import RecipeError
from recipes.trainer.checkpoints import DROPPED, HALF, RECORD, Checkpoints, DamagedError
from recipes.trainer.digests import write_digests
from recipes.trainer.loop import Trainer


def saved(path: Path, losses: dict[int, float | None]) -> Checkpoints:
    checkpoints, state = Checkpoints(path), make_state()
    for step, value in losses.items():
        checkpoints.save(state.replace(step=jnp.int32(step)), {"val_loss": value})
    return checkpoints


def data_file(checkpoints: Checkpoints, step: int) -> Path:
    files = (checkpoints.directory / f"step_{step:06d}").rglob("*")
    return max((f for f in files if f.is_file()), key=lambda f: f.stat().st_size)


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


def damage_record(checkpoints: Checkpoints, step: int, old: bytes, new: bytes) -> None:
    record = checkpoints.directory / f"step_{step:06d}" / RECORD
    content = record.read_bytes()
    assert old in content
    record.write_bytes(content.replace(old, new))


def test_a_damaged_record_is_named_and_does_not_choose_the_best(tmp_path: Path, caplog) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0, 3: 2.0})
    damage_record(checkpoints, 2, b"3.0", b"0.5")
    assert checkpoints.best() == 1
    assert "step 2 is passed over: record.json is not what digests.json says" in caplog.text


def test_a_step_with_a_damaged_record_is_not_deleted(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0})
    damage_record(checkpoints, 1, b"1.0", b"9.0")
    saved(tmp_path, {3: 2.0, 4: 2.0, 5: 2.0})
    assert checkpoints.steps() == [1, 3, 4, 5]  # the best of the intact, and the last two


def test_parameters_that_a_model_does_not_have_are_refused(tmp_path: Path) -> None:
    state = make_state()
    Checkpoints(tmp_path).save(state, {"val_loss": None})
    like = {name: part for name, part in state.params.items() if name != "Dense_0"}
    like["more"] = jnp.zeros(3)
    said = r"of another model: Dense_0\.bias is .* there and absent here; .*more is absent there"
    with pytest.raises(RecipeError, match=said):
        Checkpoints(tmp_path).restore_params(like)


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "record"])
def test_damage_is_found_and_the_step_before_is_taken(tmp_path: Path, damage: str) -> None:
    checkpoints = saved(tmp_path, {1: None, 2: None})
    file = data_file(checkpoints, 2)
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "truncate":
        file.write_bytes(content[:-1])
    elif damage == "delete":
        file.unlink()
    else:
        (tmp_path / "step_000002" / RECORD).write_text("{")
    with pytest.raises(DamagedError, match="checkpoint of step 2 is damaged"):
        checkpoints.restore(make_state(), 2)
    assert int(checkpoints.restore(make_state()).state.step) == 1


@pytest.mark.parametrize("kind", ["arrays", "record", "digests"])
def test_one_flipped_bit_in_any_file_is_found(tmp_path: Path, kind: str) -> None:
    checkpoints = saved(tmp_path, {1: 2.0})
    files = [path for path in (tmp_path / "step_000001").rglob(f"*{kind}*/**/*") if path.is_file()]
    files += list((tmp_path / "step_000001").glob(f"{kind}.json"))
    assert files
    for number, path in enumerate(files):
        content = path.read_bytes()
        place = 37 * number % max(len(content), 1)
        path.write_bytes(bytes(b ^ (i == place) << number % 8 for i, b in enumerate(content)))
        with pytest.raises(DamagedError, match="checkpoint of step 1 is damaged"):
            checkpoints.restore(make_state())
        path.write_bytes(content)
    assert checkpoints.restore(make_state()).damaged == ()


def test_what_was_passed_over_is_told(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None, 2: None})
    (tmp_path / "step_000002" / RECORD).unlink()
    restored = checkpoints.restore(make_state())
    assert restored.record["step"] == 1
    (text,) = restored.damaged
    assert text == "The checkpoint of step 2 is damaged: record.json cannot be read."


def test_a_damaged_checkpoint_does_not_stop_the_next_ones(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 2.0})
    (tmp_path / "step_000002" / RECORD).write_text("{")
    checkpoints.save(make_state().replace(step=jnp.int32(3)), {"val_loss": 3.0})
    assert checkpoints.best() == 1
    assert int(checkpoints.restore(make_state()).state.step) == 3


def test_saving_an_earlier_step_ends_the_course_that_was_left(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0, 3: 2.0})
    checkpoints.restore(make_state(), 1)
    checkpoints.save(make_state().replace(step=jnp.int32(2)), {"val_loss": 4.0})
    assert checkpoints.steps() == [1, 2]
    assert checkpoints.restore(make_state()).record["val_loss"] == 4.0


def test_a_loss_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: float("nan"), 2: 5.0, 3: float("inf"), 4: None})
    assert checkpoints.best() == 2


def test_an_old_step_that_cannot_be_deleted_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = saved(tmp_path, {1: None, 2: None})
    (tmp_path / DROPPED).write_text("in the way")  # a file is not removed as a folder
    checkpoints.save(make_state().replace(step=jnp.int32(3)), {})
    assert checkpoints.steps() == [1, 2, 3]
    assert "The checkpoint of step 1 could not be deleted" in caplog.text


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


def test_a_state_partly_put_on_devices_goes_on(tmp_path: Path) -> None:
    run_python(PARTLY_SPLIT, tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2")


def test_a_half_written_step_is_not_listed(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None})
    (tmp_path / HALF / "arrays").mkdir(parents=True)
    assert checkpoints.steps() == [1]
    checkpoints.save(make_state().replace(step=jnp.int32(2)), {})
    assert checkpoints.steps() == [1, 2]


def test_another_shape_dtype_or_name_is_refused_with_its_path(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None})
    template = make_state()
    wide = {**template.params, "Dense_1": {"kernel": jnp.ones((9, 1)), "bias": jnp.ones(1)}}
    with pytest.raises(RecipeError, match=r"Dense_1.kernel is float32\[16, 1\] .* float32\[9, 1\]"):
        checkpoints.restore(template.replace(params=wide))
    half = {
        **template.params,
        "Dense_1": {"kernel": jnp.ones((16, 1)), "bias": jnp.ones(1, "bfloat16")},
    }
    with pytest.raises(RecipeError, match=r"params.Dense_1.bias.*bfloat16\[1\]"):
        checkpoints.restore(template.replace(params=half))
    less = {"Dense_0": template.params["Dense_0"]}
    with pytest.raises(RecipeError, match=r"params.Dense_1.bias is .* and absent here"):
        checkpoints.restore(template.replace(params=less))


def test_an_unknown_format_and_an_absent_step_are_refused(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None})
    with pytest.raises(RecipeError, match=r"no checkpoint of step 7 .* There are: 1"):
        checkpoints.restore(make_state(), 7)
    record = tmp_path / "step_000001" / RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 99}))
    write_digests(record.parent)
    with pytest.raises(RecipeError, match="step 1 has format 99, and this version reads 2"):
        checkpoints.restore(make_state())
    with pytest.raises(RecipeError, match="no checkpoint"):
        Checkpoints(tmp_path / "empty").restore(make_state())


# A limit on the size of files refuses a write where the data is written, as a full disk does.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import jax.numpy as jnp
from recipes_tiny import make_state
from recipes.errors import RecipeError
from recipes.trainer.arrays import read_arrays
from recipes.trainer.checkpoints import Checkpoints

checkpoints, state = Checkpoints(Path(sys.argv[1])), make_state()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    checkpoints.save(state.replace(step=jnp.int32(2)), {})
except RecipeError as error:
    print(error.cause)
"""


def test_a_disk_that_is_full_is_an_error_and_keeps_the_last_step(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="limits on files are POSIX's")
    checkpoints = saved(tmp_path, {1: None})
    # A process of its own: Orbax leaves threads behind that end in exceptions.
    printed = run_python(FULL_DISK, tmp_path)
    assert re.fullmatch(
        r"The checkpoint of step 2 could not be written: .*File too large\.\n", printed
    )
    assert checkpoints.steps() == [1]
    assert int(checkpoints.restore(make_state()).state.step) == 1


@pytest.mark.parametrize(("highest", "best"), [(False, 2), (True, 3)])
def test_the_best_is_that_of_the_monitored_value(tmp_path: Path, highest: bool, best: int) -> None:
    checkpoints = Checkpoints(tmp_path, keep=9, monitor="accuracy", highest=highest)
    for step, accuracy in enumerate([0.5, 0.3, 0.8, 0.6], start=1):
        state = make_state()
        record = {"accuracy": accuracy, "val_loss": float(step)}
        checkpoints.save(state.replace(step=state.step + step), record)
    assert checkpoints.best() == best
