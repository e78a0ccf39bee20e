"""Any path that the system allows holds a run that can be read again."""

import os
from pathlib import Path
from typing import Any

import chex
import jax.numpy as jnp
import pytest
from recipes_tiny import make_state
from small_recipe import SMALL, TEXT

from recipes.commands import main
from recipes.errors import RecipeError
from recipes.trainer import sharded_arrays
from recipes.trainer.arrays import stored_digests
from recipes.trainer.checkpoints import Checkpoints

pytestmark = pytest.mark.fault(41)


NAMES = {
    "brackets": b"Model [v2]",
    "pattern": b"star*?{a,b}",
    "backslash": b"back\\slash",
    "newline": b"new\nline",
    "no UTF-8": b"no-\xff\xfe",
    "255 bytes": b"x" * 255,
    "3 kB": b"/".join([b"y" * 200] * 15),
}


def named(*kinds: str) -> pytest.MarkDecorator:
    """Whole runs under names of these kinds stand for those under others, which are saved to."""
    names = [
        pytest.param(name, id=kind, marks=[] if kind in kinds else pytest.mark.further)
        for kind, name in NAMES.items()
    ]
    return pytest.mark.parametrize("name", names)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_of_a_folder_will_do(tmp_path: Path, name: bytes) -> None:
    folder, state = tmp_path / os.fsdecode(name), make_state()
    Checkpoints(folder).save(state, {"val_loss": None})
    restored = Checkpoints(folder).restore(make_state(seed=3))
    chex.assert_trees_all_equal(restored.state.params, state.params)
    params = Checkpoints(folder).restore_params(make_state(seed=3).params)
    chex.assert_trees_all_equal(params, state.params)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_arrays_of_several_processes_lie_in_any_folder_too(tmp_path: Path, name: bytes) -> None:
    folder, tree = tmp_path / os.fsdecode(name), {"a": jnp.arange(3)}
    folder.mkdir(parents=True)
    sharded_arrays.write(folder / "arrays", tree)
    chex.assert_trees_all_equal(sharded_arrays.read(folder / "arrays", tree), tree)
    assert sharded_arrays.shapes(folder / "arrays")["a"].shape == (3,)


def test_a_save_that_does_not_read_back_does_not_count(tmp_path: Path, monkeypatch) -> None:
    def flipped(folder: Path, written: Any) -> dict[str, str]:
        return {**stored_digests(folder, written), "skipped": "0"}

    Checkpoints(tmp_path).save(make_state().replace(step=jnp.int32(1)), {})
    monkeypatch.setattr("recipes.trainer.checkpoints.stored_digests", flipped)
    with pytest.raises(RecipeError, match=r"step 2 could not .* reads back as something"):
        Checkpoints(tmp_path).save(make_state().replace(step=jnp.int32(2)), {})
    assert Checkpoints(tmp_path).steps() == [1]


@pytest.mark.slow
@named("newline", "no UTF-8")
def test_a_run_in_any_folder_is_resumed_evaluated_and_sampled(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    run = tmp_path / os.fsdecode(name)
    words = [*SMALL, "--data", str(tmp_path / "text.txt"), "--run-dir", str(run)]
    assert main([*words, "--max-steps", "10"]) == 0
    assert main([*words, "--max-steps", "20", "--resume", "auto"]) == 0
    assert main(["eval", str(run)]) == 0
    assert main(["sample", str(run), "--tokens", "3", "--prompt", "the"]) == 0


@pytest.mark.slow
@named("pattern", "no UTF-8")  # a text may be named by a pattern too
def test_a_text_by_any_name_is_trained_on_and_found_again(tmp_path: Path, name: bytes) -> None:
    text, run = tmp_path / "data" / os.fsdecode(name), tmp_path / "run"
    text.parent.mkdir(parents=True)
    text.write_text(TEXT)
    words = [*SMALL, "--run-dir", str(run)]
    assert main([*words, "--data", str(text), "--max-steps", "10"]) == 0
    assert main(["eval", str(run)]) == 0
