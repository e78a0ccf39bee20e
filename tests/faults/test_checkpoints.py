"""Checkpoints that are damaged, cut short, of another model, or do not fit on the disk."""

import hashlib
import re
import shutil
import signal
import subprocess
from pathlib import Path

import chex
import jax.numpy as jnp
import numpy as np
import pytest
from processes import run_python
from recipes_tiny import make_state, saved

from recipes.data.sealed import read_sealed, write_sealed
from recipes.errors import RecipeError
from recipes.trainer import sharded_arrays
from recipes.trainer.arrays import stored_leaves
from recipes.trainer.checkpoints import (
    DROPPED,
    HALF,
    METRICS,
    RECORD,
    Checkpoints,
    DamagedError,
)


def data_file(checkpoints: Checkpoints, step: int) -> Path:
    files = (checkpoints.directory / f"step_{step:06d}").rglob("*")
    return max((f for f in files if f.is_file()), key=lambda f: f.stat().st_size)


def damage_record(checkpoints: Checkpoints, step: int, old: bytes, new: bytes) -> None:
    record = checkpoints.directory / f"step_{step:06d}" / RECORD
    content = record.read_bytes()
    assert old in content
    record.write_bytes(content.replace(old, new))


@pytest.mark.fault(4, 5)
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


@pytest.mark.fault(4)
@pytest.mark.parametrize("kind", ["arrays.safetensors", RECORD, METRICS])
def test_one_flipped_bit_in_any_file_is_found(tmp_path: Path, kind: str) -> None:
    state = make_state().replace(step=jnp.int32(1))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, {"val_loss": 2.0}, metrics=b'{"step": 1}\n')
    files = [path for path in (tmp_path / "step_000001").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["arrays.safetensors", METRICS, RECORD]
    (path,) = (path for path in files if path.name == kind)
    content = path.read_bytes()
    for number in range(17):
        flipped = bytearray(content)
        flipped[number * (len(content) - 1) // 16] ^= 1 << number % 8
        path.write_bytes(flipped)
        with pytest.raises(DamagedError, match="checkpoint of step 1 is damaged"):
            checkpoints.restore(make_state())
    path.write_bytes(content)
    assert checkpoints.restore(make_state()).damaged == ()


@pytest.mark.fault(4)
def test_a_checkpoint_that_goes_while_it_is_read_is_damaged(tmp_path: Path, monkeypatch) -> None:
    checkpoints = saved(tmp_path, {1: 2.0})

    def gone(folder: Path) -> None:
        shutil.rmtree(folder)
        stored_leaves(folder)

    monkeypatch.setattr("recipes.trainer.kept.stored_leaves", gone)
    with pytest.raises(DamagedError, match="step 1 is damaged: arrays cannot be read"):
        checkpoints.restore_params(make_state().params)


@pytest.mark.fault(16)
def test_a_checkpoint_of_the_format_before_is_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("recipes.trainer.checkpoints.write_arrays", sharded_arrays.write)
    monkeypatch.setattr("recipes.trainer.checkpoints.FORMAT", 3)
    checkpoints, state = Checkpoints(tmp_path), make_state()
    checkpoints.save(state, {})
    restored = checkpoints.restore(make_state(seed=3))
    chex.assert_trees_all_equal(restored.state.params, state.params)
    params = checkpoints.restore_params(make_state(seed=3).params)
    chex.assert_trees_all_equal(params, state.params)


@pytest.mark.fault(4, 5)
def test_what_was_passed_over_is_told(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None, 2: None})
    record = tmp_path / "step_000002" / RECORD
    record.unlink()
    restored = checkpoints.restore(make_state())
    assert restored.record["step"] == 1
    (text,) = restored.damaged
    assert text == (
        f"The checkpoint of step 2 is damaged: {str(record)!r} cannot be read: "
        "No such file or directory."
    )


@pytest.mark.fault(4)
def test_a_damaged_checkpoint_does_not_stop_the_next_ones(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 2.0})
    (tmp_path / "step_000002" / RECORD).write_text("{")
    checkpoints.save(make_state().replace(step=jnp.int32(3)), {"val_loss": 3.0})
    assert checkpoints.best() == 1
    assert int(checkpoints.restore(make_state()).state.step) == 3


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


@pytest.mark.fault(6)
def test_a_disk_that_is_full_is_an_error_and_keeps_the_last_step(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="limits on files are POSIX's")
    checkpoints = saved(tmp_path, {1: None})
    # A process of its own: the limit is for all that a process writes.
    printed = run_python(FULL_DISK, tmp_path)
    assert re.fullmatch(
        r"The checkpoint of step 2 could not be written: .*File too large\.\n", printed
    )
    assert checkpoints.steps() == [1]
    assert int(checkpoints.restore(make_state()).state.step) == 1


@pytest.mark.fault(3, 6)
def test_a_half_written_step_is_not_listed(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None})
    (tmp_path / HALF / "arrays").mkdir(parents=True)
    assert checkpoints.steps() == [1]
    checkpoints.save(make_state().replace(step=jnp.int32(2)), {})
    assert checkpoints.steps() == [1, 2]


@pytest.mark.fault(9, 10)
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


@pytest.mark.fault(14)
def test_an_old_step_that_cannot_be_deleted_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = saved(tmp_path, {1: None, 2: None})
    (tmp_path / DROPPED).write_text("in the way")  # a file is not removed as a folder
    checkpoints.save(make_state().replace(step=jnp.int32(3)), {})
    assert checkpoints.steps() == [1, 2, 3]
    assert "The checkpoint of step 1 could not be deleted" in caplog.text


@pytest.mark.fault(16)
def test_an_unknown_format_and_an_absent_step_are_refused(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: None})
    with pytest.raises(RecipeError, match=r"no checkpoint of step 7 .* There are: 1"):
        checkpoints.restore(make_state(), 7)
    record = tmp_path / "step_000001" / RECORD
    write_sealed(record, {**read_sealed(record), "format": 99})
    with pytest.raises(
        RecipeError, match=r"step 1 has format 99 in record.json, and this version reads 3 and 4"
    ):
        checkpoints.restore(make_state())
    with pytest.raises(RecipeError, match="no checkpoint"):
        Checkpoints(tmp_path / "empty").restore(make_state())


@pytest.mark.fault(42)
def test_a_damaged_record_is_named_and_does_not_choose_the_best(tmp_path: Path, caplog) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0, 3: 2.0})
    damage_record(checkpoints, 2, b"3.0", b"0.5")
    assert checkpoints.best() == 1
    assert "checkpoint of step 2 is damaged: " in caplog.text
    assert "record.json' is not what was written: its SHA-256 differs. It is passed" in caplog.text


@pytest.mark.fault(42)
def test_a_step_with_a_damaged_record_is_not_deleted(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0})
    damage_record(checkpoints, 1, b"1.0", b"9.0")
    saved(tmp_path, {3: 2.0, 4: 2.0, 5: 2.0})
    assert checkpoints.steps() == [1, 3, 4, 5]  # the best of the intact, and the last two


@pytest.mark.fault(43)
def test_saving_an_earlier_step_ends_the_course_that_was_left(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0, 3: 2.0})
    checkpoints.restore(make_state(), 1)
    checkpoints.save(make_state().replace(step=jnp.int32(2)), {"val_loss": 4.0})
    assert checkpoints.steps() == [1, 2]
    assert checkpoints.restore(make_state()).record["val_loss"] == 4.0


KILLED = """
import os, signal, sys
from pathlib import Path
import jax.numpy as jnp
from recipes_tiny import make_state
from recipes.trainer import checkpoints

setattr(checkpoints, sys.argv[2], lambda *given: os.kill(os.getpid(), signal.SIGKILL))
state = make_state().replace(step=jnp.int32(2))
checkpoints.Checkpoints(Path(sys.argv[1])).save(state, {})
"""


@pytest.mark.fault(3)
@pytest.mark.parametrize("moment", ["write_arrays", "leaf_digests", "write_sealed"])
def test_a_save_that_is_killed_leaves_no_step(tmp_path: Path, moment: str) -> None:
    """Before the arrays are there, and after, before the record with their digests is."""
    checkpoints = saved(tmp_path, {1: None})
    with pytest.raises(subprocess.CalledProcessError) as killed:
        run_python(KILLED, tmp_path, moment)
    assert killed.value.returncode == -signal.SIGKILL
    assert (tmp_path / HALF).exists()
    assert checkpoints.steps() == [1]
    assert int(checkpoints.restore(make_state()).state.step) == 1
    saved(tmp_path, {2: None})
    assert int(checkpoints.restore(make_state()).state.step) == 2


@pytest.mark.fault(43)
@pytest.mark.parametrize("renames", [3, 4])
def test_a_step_that_is_being_replaced_is_never_gone(tmp_path: Path, renames: int) -> None:
    """Killed between the two renames that replace a step, or after both; two name its files."""
    checkpoints = saved(tmp_path, {1: None, 2: 3.0})
    code = KILLED.replace(
        "setattr(",
        "import itertools; count = itertools.count(1); "
        "replace = os.replace; os.replace = lambda a, b: (replace(a, b), next(count) == "
        f"{renames} and os.kill(os.getpid(), signal.SIGKILL)); (lambda *given: None)(",
    )
    with pytest.raises(subprocess.CalledProcessError) as killed:
        run_python(code, tmp_path, "nothing")
    assert killed.value.returncode == -signal.SIGKILL
    record = checkpoints.restore(make_state()).record
    assert record["step"] == 2
    assert record.get("val_loss") == (3.0 if renames == 3 else None)


@pytest.mark.fault(42)
def test_the_best_step_is_chosen_among_verified_ones(tmp_path: Path, caplog) -> None:
    checkpoints = saved(tmp_path, {1: 1.0, 2: 3.0, 3: 2.0})
    file = data_file(checkpoints, 1)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    checkpoints.restore_params(make_state().params)
    assert re.search("step 1 is damaged: .* It is passed over", caplog.text)


@pytest.mark.fault(42)
def test_arrays_have_digests_of_their_own(tmp_path: Path) -> None:
    """Found where every file is what its digest says, as after a fault of the store itself."""
    saved(tmp_path, {1: None})
    record = tmp_path / "step_000001" / RECORD
    content = read_sealed(record)
    name = "params.Dense_0.kernel"
    kernel = np.asarray(make_state().params["Dense_0"]["kernel"])
    assert content["arrays"][name] == hashlib.sha256(kernel.tobytes()).hexdigest()
    content["arrays"][name] = "0" * 64
    write_sealed(record, content)
    with pytest.raises(DamagedError, match=r"params\.Dense_0\.kernel is not what record.json says"):
        Checkpoints(tmp_path).restore(make_state())
