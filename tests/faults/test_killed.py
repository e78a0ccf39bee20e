"""Processes that are killed at any moment, saves included, and started again."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import recipes_tiny

from recipes.trainer.metrics import read_metrics

KILLS = 20

# Saves at every row: most of the time is spent saving. `ready` says when the imports are done.
RUN = """
import hashlib, sys
from pathlib import Path
import jax, numpy as np
from recipes_tiny import Batches, loss, make_state
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer
from recipes.trainer.metrics import MetricsFile
from recipes.trainer.settings import TrainerSettings

print("ready", flush=True)
folder = Path(sys.argv[1])
checkpoints, state, saved, rows = Checkpoints(folder / "checkpoints"), make_state(), {}, b""
if checkpoints.steps():
    restored = checkpoints.restore(state)
    assert restored.damaged == ()
    state, saved, rows = restored.state, restored.record, restored.metrics
metrics = MetricsFile(folder / "metrics.jsonl", rows=rows)
settings = TrainerSettings(max_steps=600, log_every=5, eval_every=15)
trainer = Trainer(state, loss=loss, settings=settings, tokens=saved.get("tokens", 0))
for row in trainer.train(Batches(saved.get("position", 0))):
    metrics.append(row)
    counted = {"tokens": trainer.tokens, **trainer.position}
    checkpoints.save(trainer.state, counted, metrics=metrics.rows)
    metrics.settle()
leaves = jax.tree.leaves((trainer.state.params, trainer.state.opt_state))
print(hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest())
"""


def start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    places = [str(Path(recipes_tiny.__file__).parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finished(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return printed


def rows(folder: Path) -> list[str]:
    found = read_metrics(folder / "metrics.jsonl")
    return [json.dumps({k: v for k, v in row.items() if k != "seconds"}) for row in found]


def saved(folder: Path) -> set[str]:
    return {path.name for path in (folder / "checkpoints").glob("step_*")}


@pytest.mark.slow
@pytest.mark.fault(2)
def test_killed_20_times_at_any_moment_and_resumed_equals_never_killed(tmp_path: Path) -> None:
    """Each process saves once at least, and is killed within the next few saves."""
    expected = finished(start(tmp_path / "whole"))
    moments, folder = random.Random(0), tmp_path / "killed"
    for _ in range(KILLS):
        before = saved(folder)
        process = start(folder)
        while not saved(folder) - before:
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, 0.1))
        assert process.poll() is None
        process.kill()
        process.communicate()
    assert finished(start(folder)) == expected
    assert rows(folder) == rows(tmp_path / "whole")
