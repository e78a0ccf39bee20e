"""Two real processes that train one model: signals, losses, and settings that differ."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_recipe import SMALL, TEXT

from recipes.commands import main
from recipes.trainer.metrics import read_metrics

# Two devices in each process, a heartbeat that a busy machine keeps, and a mesh of all.
MESH = ("--mesh", "data=2,fsdp=2", "--heartbeat-timeout", "30")
LONG = 900


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


class Pair:
    """Two processes of the recipe that train in one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "text.txt").write_text(TEXT)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *options: str, second: tuple[str, ...] = ()) -> None:
        address = f"localhost:{free_port()}"
        self.processes = [
            self._process(
                *("--coordinator", address, "--num-processes", "2", "--process-id", str(index)),
                *MESH,
                *options,
                *(second if index else ()),
            )
            for index in range(2)
        ]

    def _process(self, *options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "recipes.nanogpt", *SMALL]
        paths = ["--data", str(self.folder / "text.txt"), "--run-dir", str(self.folder / "run")]
        return subprocess.Popen(
            [*command, *paths, *options],
            env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, while both processes run."""
        end = time.monotonic() + LONG
        while not condition():
            assert all(process.poll() is None for process in self.processes), self.results()
            assert time.monotonic() < end
            time.sleep(0.05)

    def results(self) -> list[tuple[int, str, str]]:
        """Exit code, output and errors of both, which have ended by themselves."""
        found = []
        for process in self.processes:
            output, errors = process.communicate(timeout=LONG)
            found.append((process.returncode, output, errors))
        return found

    def steps(self) -> list[int]:
        names = (self.folder / "run" / "checkpoints").glob("step_*")
        return sorted(int(path.name[5:]) for path in names)

    def rows(self, name: str = "run") -> list[dict[str, Any]]:
        return read_metrics(self.folder / name / "metrics.jsonl")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    yield pair
    for process in pair.processes:
        process.kill()
        process.communicate()


def assert_same_course(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Losses of all steps are equal to rounding, and the rest exactly."""
    assert [row["step"] for row in rows] == [row["step"] for row in others]
    assert [row["tokens"] for row in rows] == [row["tokens"] for row in others]
    for name in ("train_loss", "val_loss"):
        np.testing.assert_allclose(
            [row[name] for row in rows if name in row],
            [row[name] for row in others if name in row],
            rtol=0,
            atol=1e-4,
        )


@pytest.mark.slow
@pytest.mark.fault(24, 25)
def test_two_processes_train_as_one_does_and_one_goes_on(pair: Pair) -> None:
    pair.start("--max-steps", "40", "--optimizer.decay-steps", "60")
    (code, printed, _), (other, silent, _) = pair.results()
    assert (code, other) == (0, 0)
    assert "validation loss" in printed
    assert "step" not in silent

    options = ["--data", str(pair.folder / "text.txt"), "--optimizer.decay-steps", "60"]
    one = ["--run-dir", str(pair.folder / "one"), *options]
    assert main([*SMALL, *one, "--max-steps", "40"]) == 0
    assert_same_course(pair.rows(), pair.rows("one"))

    shutil.copytree(pair.folder / "one", pair.folder / "later")
    for name in ("run", "one"):
        resume = ["--run-dir", str(pair.folder / name), "--resume", "auto", "--mesh", "data=1"]
        assert main(["train", *resume, "--max-steps", "60"]) == 0
    assert_same_course(pair.rows(), pair.rows("one"))

    # And two go on with what one has written.
    shutil.rmtree(pair.folder / "run")
    (pair.folder / "later").rename(pair.folder / "run")
    pair.start("--resume", "auto", "--max-steps", "60", "--optimizer.decay-steps", "60")
    assert [code for code, *_ in pair.results()] == [0, 0]
    assert_same_course(pair.rows(), pair.rows("one"))


@pytest.mark.slow
@pytest.mark.fault(19)
def test_a_signal_to_one_process_has_both_save_the_same_step(pair: Pair) -> None:
    pair.start("--max-steps", "100000", "--trainer.eval-every", "1000")
    pair.wait_for(lambda: (pair.folder / "run" / "metrics.jsonl").exists() and bool(pair.rows()))
    pair.processes[1].send_signal(signal.SIGTERM)
    (code, printed, _), (other, _, _) = pair.results()
    assert (code, other) == (143, 143)
    (step,) = pair.steps()[-1:]
    assert step == pair.rows()[-1]["step"] < 100000
    assert f"Stopped by SIGTERM after step {step}, which is saved." in printed
    # A checkpoint is complete only if both have written their part.
    pair.start("--resume", "auto", "--max-steps", str(step + 10), "--trainer.eval-every", "1000")
    assert [code for code, _, _ in pair.results()] == [0, 0]
    assert pair.rows()[-1]["step"] == step + 10


@pytest.mark.slow
@pytest.mark.parametrize("killed", [pytest.param(0, marks=pytest.mark.further), 1])
@pytest.mark.fault(20)
def test_a_killed_process_ends_the_other_and_a_restart_goes_on(pair: Pair, killed: int) -> None:
    pair.start("--max-steps", "100000")
    pair.wait_for(lambda: len(pair.steps()) > 1)
    pair.processes[killed].kill()
    results = pair.results()
    assert results[killed][0] == -signal.SIGKILL
    assert results[1 - killed][0] not in (0, None)
    if killed:  # Of a first process that is lost JAX tells, and ends the others at once.
        code, _, errors = results[0]
        told = code == 2 and "error: Process 1 was lost: it gave no sign for 30 s." in errors
        # A collective that is under way fails at once, and JAX may abort before it can be told.
        assert told or code == -signal.SIGABRT, errors
    step = pair.steps()[-1]
    pair.start("--resume", "auto", "--max-steps", str(step + 20))
    assert [code for code, _, _ in pair.results()] == [0, 0]
    assert [row["step"] for row in pair.rows()] == list(range(10, step + 21, 10))


@pytest.mark.slow
@pytest.mark.fault(22)
def test_processes_with_other_settings_are_all_refused(pair: Pair) -> None:
    pair.start("--max-steps", "40", second=("--optimizer.learning-rate", "0.5"))
    for code, _, errors in pair.results():
        assert code == 2
        assert "optimizer.learning_rate is 0.003 in process 0 and 0.5 in 1" in errors
    assert not (pair.folder / "run").exists()


@pytest.mark.fault(21)
def test_an_absent_coordinator_is_named_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    address = f"localhost:{free_port()}"
    options = ["--coordinator", address, "--num-processes", "2", "--process-id", "1"]
    paths = ["--data", str(tmp_path / "text.txt"), "--run-dir", str(tmp_path / "run")]
    assert main([*SMALL, *paths, *options, "--join-timeout", "2"]) == 2
    assert f"The coordinator at {address} was not there within 2 s" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


GLOBAL_BATCHES = """
import json, sys
import numpy as np
from recipes.trainer.processes import Processes
address, count, index = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if count > 1:
    Processes(address, count, index).join()
from jax.experimental import multihost_utils
from recipes.data.batches import training_batches
from recipes.trainer.placement import place_batch
from recipes.trainer.sharding import make_mesh
mesh = make_mesh("data=2,fsdp=2")
batches = training_batches(np.arange(50), context=4, batch_size=8, seed=3)
for _ in range(9):  # past the end of an epoch
    placed = place_batch(next(batches), mesh)["inputs"]
    assert len(placed.addressable_shards) == 4 // count
    whole = multihost_utils.process_allgather(placed, tiled=True)
    print(np.asarray(whole).tolist())
"""


@pytest.mark.slow
@pytest.mark.further  # the losses of two processes and of one are equal
@pytest.mark.fault(25)
def test_a_global_batch_is_the_same_whatever_the_number_of_processes() -> None:
    def command(count: int, index: int, address: str = "") -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", GLOBAL_BATCHES, address, str(count), str(index)],
            env={
                **os.environ,
                "XLA_FLAGS": f"--xla_force_host_platform_device_count={4 // count}",
            },
            stdout=subprocess.PIPE,
            text=True,
        )

    address = f"localhost:{free_port()}"
    processes = [command(1, 0), command(2, 0, address), command(2, 1, address)]
    printed = []
    for process in processes:
        lines = process.communicate(timeout=LONG)[0].splitlines()
        assert process.returncode == 0
        printed.append([json.loads(line) for line in lines if line.startswith("[[")])
    assert len(printed[0]) == 9
    assert printed[0] == printed[1] == printed[2]
