"""A run that is killed at any moment, saves included, and resumed: to the bit as never killed."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from processes import ended, start, wait_until
from small_recipe import SMALL, TEXT
from small_runs import assert_same_course

# Kills at random moments; by hand KILLS=20.
KILLS = int(os.environ.get("KILLS", "1"))
# Evaluations, samples and saves take most of the time, and there are steps left for the last one.
STEPS = 100 * KILLS
# As in the tests: to compile is what takes the time of a short run.
QUICK = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
WORDS = [*SMALL, "--max-steps", STEPS, "--trainer.eval-every", 10]


def saved(run: Path) -> set[str]:
    return {path.name for path in (run / "checkpoints").glob("step_*")}


@pytest.mark.slow
@pytest.mark.fault(2)
def test_killed_at_any_moment_and_resumed_equals_never_killed(tmp_path: Path) -> None:
    """Each process saves once at least, and is killed within the next few saves."""
    (tmp_path / "text.txt").write_text(TEXT)
    words = [*WORDS, "--data", tmp_path / "text.txt", "--resume", "auto", "--run-dir"]
    code, _, said = ended(start(*words, tmp_path / "whole", stdout=subprocess.DEVNULL, env=QUICK))
    assert code == 0, said
    moments, run = random.Random(0), tmp_path / "killed"
    for _ in range(KILLS):
        before = saved(run)
        process = start(*words, run, stdout=subprocess.DEVNULL, env=QUICK)
        wait_until(lambda before=before: saved(run) - before, process)
        time.sleep(moments.uniform(0.0, 0.2))
        assert process.poll() is None
        process.kill()
        process.communicate()
    code, _, said = ended(start(*words, run, stdout=subprocess.DEVNULL, env=QUICK))
    assert code == 0, said
    print(f"killed {KILLS} times, {STEPS} steps")
    assert_same_course(run, tmp_path / "whole")
