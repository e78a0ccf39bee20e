"""Ctrl-C at any moment of a run: exit code 130 and no traceback, from the first import on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import ended, start

pytestmark = pytest.mark.fault(45)

# Presses at moments of the first six seconds; by hand PRESSES=200.
PRESSES = int(os.environ.get("PRESSES", "2"))
LATER = [6.0 * (index + 0.5) / PRESSES for index in range(PRESSES)]


def press(folder: Path, seconds: float, times: int = 1) -> tuple[int, str]:
    """Exit code and error output of a run in which Ctrl-C is pressed, once a thread watches."""
    words = ["train", "quick", "--run-dir", folder, "--max-steps", 100_000]
    run = start(*words, stdout=subprocess.DEVNULL)
    # Until then the interpreter itself starts, and answers as it likes.
    while run.poll() is None and len(os.listdir(f"/proc/{run.pid}/task")) < 2:
        time.sleep(0.005)
    time.sleep(seconds)
    for _ in range(times):
        run.send_signal(signal.SIGINT)
        time.sleep(0.2)
    code, _, said = ended(run)
    return code, said


@pytest.mark.parametrize("seconds", [0.0, 0.9])
def test_a_press_in_the_first_seconds(tmp_path, seconds):
    code, said = press(tmp_path / "run", seconds)
    assert code == 130, said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("seconds", LATER)
def test_a_press_at_any_moment(tmp_path, seconds):
    code, said = press(tmp_path / "run", seconds)
    assert code == 130, said
    assert "Traceback" not in said


@pytest.mark.slow
def test_two_presses_stop_at_once(tmp_path):
    code, said = press(tmp_path / "run", 6.0, times=2)
    assert code == 130, said
    assert "Traceback" not in said
