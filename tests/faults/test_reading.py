"""Reading of a run that trains, saves and deletes: a whole checkpoint, or one sentence."""

import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest
from processes import ended, start, start_python, steps, wait_until
from recipes_tiny import make_state
from small_recipe import SMALL

from recipes.commands import main
from recipes.errors import RecipeError
from recipes.runs.published import load_run
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.reading import read_while_saved

pytestmark = pytest.mark.fault(50)

# All parameters of a step are its number, and each step is better than the one before: the best
# is always about to be deleted.
WRITER = """
import itertools, sys
import jax, jax.numpy as jnp
from recipes_tiny import make_state
from recipes.trainer.checkpoints import Checkpoints

checkpoints, state = Checkpoints(sys.argv[1], keep=1), make_state()
for step in itertools.count(1):
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, step), state.params)
    state = state.replace(step=jnp.int32(step), params=params)
    checkpoints.save(state, {"val_loss": 1.0 / step})
"""


@pytest.mark.slow
def test_500_reads_of_a_run_that_saves_and_deletes_are_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, like = tmp_path / "checkpoints", make_state().params
    writer = start_python(WRITER, folder, stdout=None, stderr=None)
    try:
        found, refusals = set(), set()
        while len(found) < 3:  # whatever the speed of the machine
            for _ in range(500):
                assert writer.poll() is None
                try:
                    params = read_while_saved(
                        folder, lambda: Checkpoints(folder).restore_params(like)
                    )
                except RecipeError as error:
                    refusals.add(error.cause.partition(" in ")[0])
                    continue
                leaves = [np.ravel(leaf) for leaf in jax.tree.leaves(params)]
                values = np.unique(np.concatenate(leaves))
                assert len(values) == 1
                found.add(float(values[0]))
    finally:
        writer.kill()
        writer.wait()
    assert refusals <= {"There is no checkpoint"}
    assert [log.message for log in caplog.records if log.name.startswith("recipes")] == []


@pytest.mark.slow
@pytest.mark.further  # 500 reads beside a process that saves and deletes more often
def test_commands_read_a_run_that_trains(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = [*SMALL, "--data", corpus, "--run-dir", run, "--max-steps", 100_000]
    process = start(*words, "--trainer.eval-every", 2, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: any("step_" in str(path) for path in run.glob("checkpoints/*")), process)
        for _ in range(3):
            assert main(["sample", str(run), "--tokens", "5"]) == 0
            assert main(["eval", str(run)]) == 0
        assert process.poll() is None
        assert capsys.readouterr().err == ""
        assert steps(run)
    finally:
        process.terminate()
        ended(process)


def test_a_run_that_has_not_saved_says_when_it_will(tmp_path: Path, finished: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (run / name).write_bytes((finished / name).read_bytes())
    with pytest.raises(RecipeError, match=r"no checkpoint in .* yet: the first is saved .* 10\."):
        load_run(run)
