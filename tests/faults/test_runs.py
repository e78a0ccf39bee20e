"""Runs that are started, resumed and killed where they should not be."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ready, run_python, start_python
from small_runs import assert_same_course, rows

from recipes.commands import main
from recipes.errors import RecipeError
from recipes.runs.folder import claimed


def refusal(path: Path, *, resume: bool = False) -> str:
    with pytest.raises(RecipeError) as refused, claimed(path, resume=resume):
        pass
    return refused.value.cause


@pytest.mark.fault(7)
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert "is a file, not a folder" in refusal(tmp_path / "a")
    assert "cannot be written: Not a directory" in refusal(tmp_path / "a" / "b")


@pytest.mark.fault(7)
@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that refuses root too")
def test_a_folder_that_cannot_be_made_is_refused() -> None:
    assert "cannot be written" in refusal(Path("/proc/run"))


@pytest.mark.fault(12)
def test_a_folder_with_files_is_refused_without_resume(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not empty" in refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.fault(12)
def test_a_folder_of_other_files_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds files, but no run" in refusal(tmp_path, resume=True)


@pytest.mark.fault(13)
def test_a_second_claim_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from recipes.runs.folder import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1]), resume=False):\n"
        "    print('ready', flush=True); sys.stdin.read()"
    )
    process = ready(start_python(code, tmp_path / "run", stdin=subprocess.PIPE))
    with process:
        for resume in (False, True):
            cause = refusal(tmp_path / "run", resume=resume)
            assert f"Another process, {process.pid}, is training in" in cause
        process.kill()
    # What a killed process leaves is no claim.
    assert (tmp_path / "run" / ".holder").read_text() == f"{process.pid}\n"
    with claimed(tmp_path / "run", resume=False):
        pass


@pytest.mark.fault(8)
def test_other_settings_are_refused_field_by_field(
    train: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("a", "--max-steps", "10") == 0
    options = ("--resume", "auto", "--model.features", "32", "--optimizer.beta1", "0.8")
    assert train("a", *options, "--seed", "1") == 2
    error = capsys.readouterr().err
    assert "model.features is 16 in the run and 32 now" in error
    assert "optimizer.beta1 is 0.9 in the run and 0.8 now" in error
    assert "seed is 1337 in the run and 1 now" in error
    assert "num_heads" not in error


@pytest.mark.fault(4)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    whole: Path, again: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = again / "checkpoints" / "step_000060"
    largest = max((p for p in arrays.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    assert main(["train", "--run-dir", str(again), "--resume", "auto"]) == 0
    printed = capsys.readouterr().out
    assert "The checkpoint of step 60 is damaged" in printed
    assert "from step 40 to 60" in printed
    assert_same_course(again, whole)


@pytest.mark.fault(11)
def test_a_finished_run_says_so(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole / "metrics.jsonl").read_bytes()
    assert main(["train", "--run-dir", str(whole), "--resume", "auto"]) == 0
    assert "is done: it has 60 of 60 steps" in capsys.readouterr().out
    assert (whole / "metrics.jsonl").read_bytes() == before


@pytest.mark.fault(43)
@pytest.mark.slow
def test_resuming_at_an_earlier_step_repeats_the_course(whole: Path, again: Path) -> None:
    assert main(["train", "--run-dir", str(again), "--resume", "40"]) == 0
    assert_same_course(again, whole)


# A process that is killed when it is about to do something for the first time.
KILLED = """
import os, signal, sys
import jax
from recipes.commands import main
from recipes.runs.folder import RunFolder
from recipes.trainer.checkpoints import Checkpoints

jax.config.update("jax_disable_most_optimizations", True)  # as in the tests
def die(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)
{patch}
main(sys.argv[1:])
"""


def killed(patch: str, *words: object) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        run_python(KILLED.format(patch=patch), *words)
    assert error.value.returncode == -signal.SIGKILL


@pytest.mark.fault(43)
@pytest.mark.slow
def test_later_steps_stay_until_the_new_course_has_saved_one(
    whole: Path, again: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--run-dir", str(again), "--resume", "40"]
    killed("Checkpoints.save = die", *words)
    assert rows(again) == rows(whole)
    steps = [path.name for path in (again / "checkpoints").glob("step_*")]
    assert sorted(steps) == sorted(path.name for path in (whole / "checkpoints").glob("step_*"))
    assert main(words) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("After step 40 the run has checkpoints of steps 60 and 2 rows")
    assert first.endswith("kept until this course saves a step, then deleted.")
    assert_same_course(again, whole)


@pytest.mark.fault(53)
@pytest.mark.slow
def test_a_sample_that_was_not_written_is_written_at_the_next_start(
    whole: Path, again: Path
) -> None:
    texts = again / "samples"
    (texts / "step_000060.txt").unlink()
    killed("RunFolder.keep_sample = die", "train", "--run-dir", again, "--resume", "40")
    assert not (texts / "step_000060.txt").exists()
    assert main(["train", "--run-dir", str(again), "--resume", "auto"]) == 0
    for path in sorted((whole / "samples").iterdir()):
        assert (texts / path.name).read_text() == path.read_text()


@pytest.mark.fault(1)
def test_a_run_stopped_and_resumed_writes_the_same_metrics_byte_for_byte(
    tmp_path: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that stands still, as `seconds` is the only field that differs."""
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    options = ("--optimizer.decay-steps", "60", "--model.dropout-rate", "0.2")
    assert train("whole", "--max-steps", "60", *options) == 0
    assert train("parts", "--max-steps", "20", *options) == 0
    assert train("parts", "--max-steps", "60", *options, "--resume", "auto") == 0
    written = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "parts")]
    assert written[0] == written[1]
    assert_same_course(tmp_path / "parts", tmp_path / "whole")
