import json
import os
import re
import subprocess
import sys
from pathlib import Path

import chex
import jax.numpy as jnp
import pytest
import recipes_tiny
from recipes_tiny import make_state

from recipes.errors import RecipeError
from recipes.trainer.checkpoints import HALF, RECORD, Checkpoints, DamagedError
from recipes.trainer.digests import write_digests


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
    chex.assert_trees_all_equal(Checkpoints(tmp_path).restore_params(), state.params)


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
    with pytest.raises(RecipeError, match="step 1 has format 99, and this version reads 1"):
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
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(recipes_tiny.__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(
        r"The checkpoint of step 2 could not be written: .*File too large\.\n", ran.stdout
    )
    assert checkpoints.steps() == [1]
    assert int(checkpoints.restore(make_state()).state.step) == 1
