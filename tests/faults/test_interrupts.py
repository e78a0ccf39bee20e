"""Ctrl-C at any moment of a run: exit code 130 and no traceback, from the first import on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.fault(45)

# The interpreter itself starts in the first tenths of a second, and answers as it likes.
EARLY = [0.3, 1.2]
LATER = [0.3 + 0.28 * index for index in range(21)]


def press(folder: Path, seconds: float, times: int = 1) -> tuple[int, str]:
    """Exit code and error output of a run that Ctrl-C is pressed in."""
    command = [sys.executable, "-m", "recipes.nanogpt", "train", "quick", "--run-dir", str(folder)]
    run = subprocess.Popen(
        [*command, "--max-steps", "100000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    for _ in range(times):
        run.send_signal(signal.SIGINT)
        time.sleep(0.2)
    try:
        _, said = run.communicate(timeout=120)
    finally:
        run.kill()
    return run.returncode, said


@pytest.mark.parametrize("seconds", EARLY)
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
