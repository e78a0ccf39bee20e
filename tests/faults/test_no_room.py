"""No room on the disk, or no permission: one sentence at the start, at resuming, at the lock."""

import shutil
from pathlib import Path

import pytest
from processes import ended, start
from small_recipe import SMALL
from small_runs import AnotherUser

from recipes.commands import main

pytestmark = pytest.mark.fault(47)


# Bytes that a process may write to any file: none, or enough for its number alone.
NONE, LITTLE = 0, 16


def limit(size: int) -> str:
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def check_refused(code: int, said: str) -> None:
    """One sentence of cause and one of fix."""
    assert code == 2, said
    assert "Traceback" not in said
    cause, fix = said.splitlines()
    assert cause.startswith("error: ")
    assert fix.startswith("fix:   Free disk space or fix the permissions")


@pytest.mark.slow
@pytest.mark.parametrize("size", [NONE, pytest.param(LITTLE, marks=pytest.mark.further)])
def test_a_start_without_room(tmp_path: Path, size: int) -> None:
    run = tmp_path / "run"
    code, _, said = ended(start("train", "quick", "--run-dir", run, before=limit(size)))
    check_refused(code, said)
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.parametrize("size", [pytest.param(NONE, marks=pytest.mark.further), LITTLE])
def test_resuming_without_room(tmp_path: Path, finished: Path, size: int) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    words = ["train", "--run-dir", run, "--resume", "auto", "--max-steps", 20]
    code, _, said = ended(start(*words, before=limit(size)))
    check_refused(code, said)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("denied", ["start", "resume", "lock"])
def test_no_permission_is_one_sentence(
    tmp_path: Path,
    corpus: Path,
    finished: Path,
    denied: str,
    another_user: AnotherUser,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And with the permission the same command goes on."""
    run, lock = tmp_path / "run", tmp_path / "run" / ".lock"
    words = [*SMALL, "--max-steps", "10", "--data", str(corpus), "--run-dir", str(run)]
    place, mode = tmp_path, 0o555
    if denied != "start":
        shutil.copytree(finished, run)
        words = ["train", "--resume", "auto", "--data", str(corpus), "--run-dir", str(run)]
        place = run
    if denied == "lock":
        lock.touch()
        run.chmod(0o777)
        place, mode = lock, 0o444
    before = place.stat().st_mode
    place.chmod(mode)
    with another_user(run):
        code = main(words)
    place.chmod(before)
    said = capsys.readouterr().err
    check_refused(code, said)
    assert "Permission denied" in said
    if denied != "start":
        assert main(words) == 0
