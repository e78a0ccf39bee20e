"""Outputs that fail while a command writes to them: training goes on, other commands say so."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from processes import ended, start, steps, wait_until
from small_recipe import SMALL

from recipes.commands import main
from recipes.trainer.checkpoints import Checkpoints

pytestmark = pytest.mark.fault(46)
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without /dev/full")


@pytest.fixture
def words(tmp_path: Path, corpus: Path) -> list[object]:
    return [*SMALL, "--data", corpus, "--run-dir", tmp_path / "run"]


@pytest.mark.slow
@pytest.mark.further  # as where both outputs are full
def test_training_goes_on_when_its_reader_is_gone(tmp_path: Path, words: list[object]) -> None:
    process = start(*words, "--max-steps", 60)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert ended(process) == (0, "", "")
    assert steps(tmp_path / "run")[-1] == 60


@needs_full
@pytest.mark.slow
def test_training_goes_on_when_both_outputs_are_full(tmp_path: Path, words: list[object]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = start(*words, "--max-steps", 60, stdout=full, stderr=full)
        assert ended(process)[0] == 0
    assert steps(tmp_path / "run")[-1] == 60


@needs_full
@pytest.mark.parametrize("command", ["presets", "--help", "--version"])
def test_a_full_device_is_said_by_what_prints_its_result(command: str) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        code, _, said = ended(start(command, stdout=full))
    assert code == 2
    assert "error: The output cannot be written: No space left on device." in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["presets", "--help"])
def test_a_closed_pipe_ends_what_prints_its_result(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start(command, stdout=writer)
    os.close(writer)
    assert ended(process) == (0, "", "")


@pytest.mark.slow
def test_characters_that_the_encoding_lacks_are_escaped(tmp_path: Path, corpus: Path) -> None:
    corpus.write_text("日本語 und Öl. " * 300, encoding="utf-8")
    run = tmp_path / "run"
    poor = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [*SMALL, "--data", corpus, "--run-dir", run, "--max-steps", 20]
    code, _, said = ended(start(*words, env=poor))
    assert code == 0, said
    code, printed, said = ended(start("sample", run, "--prompt", "日本", "--tokens", 5, env=poor))
    assert code == 0, said
    assert printed.startswith(r"\u65e5\u672c")


# The standard input becomes the terminal of the process, which minds its hang-up.
OWN_TERMINAL = (
    "import fcntl, signal, termios; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
)


@pytest.mark.slow
def test_a_terminal_that_hangs_up_has_training_saved_and_stopped(
    tmp_path: Path, words: list[object]
) -> None:
    ours, theirs = os.openpty()
    run = tmp_path / "run"
    process = start(
        *(*words, "--max-steps", 100_000, "--trainer.eval-every", 100_000),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        start_new_session=True,
        before=OWN_TERMINAL,
    )
    os.close(theirs)
    wait_until(lambda: steps(run), process)
    os.close(ours)  # The kernel sends SIGHUP, and every later write fails.
    assert ended(process)[0] == 128 + signal.SIGHUP
    assert Checkpoints(run / "checkpoints").steps() == steps(run)[-1:]
    assert main(["train", "--run-dir", str(run), "--resume", "auto", "--max-steps", "1"]) == 0


NOHUP = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"


@pytest.mark.slow
@pytest.mark.further  # a hang-up that is ignored stays ignored, in test_signals.py
def test_a_run_under_nohup_does_not_mind(tmp_path: Path, words: list[object]) -> None:
    process = start(*words, "--max-steps", 200, before=NOHUP, stdout=subprocess.DEVNULL)
    wait_until(lambda: steps(tmp_path / "run"), process)
    process.send_signal(signal.SIGHUP)
    assert ended(process)[0] == 0
    assert steps(tmp_path / "run")[-1] == 200
