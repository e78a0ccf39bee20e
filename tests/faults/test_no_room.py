"""No room on the disk, or no permission: one sentence at the start, at resuming, at the lock."""

import os
import shutil
from pathlib import Path

import pytest
from processes import ended, start

pytestmark = pytest.mark.fault(47)


# Bytes that a process may write to any file: none, or enough for its number alone.
ROOM = (0, 16)
needs_rights = pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write everywhere")


def limit(size: int) -> str:
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def check_refused(code: int, said: str) -> None:
    """One sentence of cause and one of fix."""
    assert code == 2, said
    assert "Traceback" not in said
    cause, fix = said.splitlines()
    assert cause.startswith("error: ")
    assert fix.startswith("fix:   Make room or mend the permissions")


@pytest.mark.slow
@pytest.mark.parametrize("size", ROOM)
def test_a_start_without_room(tmp_path: Path, size: int) -> None:
    run = tmp_path / "run"
    code, _, said = ended(start("train", "quick", "--run-dir", run, before=limit(size)))
    check_refused(code, said)
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.parametrize("size", ROOM)
def test_resuming_without_room(tmp_path: Path, finished: Path, size: int) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    words = ["train", "--run-dir", run, "--resume", "auto", "--max-steps", 20]
    code, _, said = ended(start(*words, before=limit(size)))
    check_refused(code, said)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@needs_rights
@pytest.mark.parametrize("resume", [[], ["--resume", "auto"]])
def test_a_folder_that_may_not_be_written(
    tmp_path: Path, finished: Path, resume: list[str]
) -> None:
    run = tmp_path / "run"
    if resume:
        shutil.copytree(finished, run)
        run.chmod(0o555)
    tmp_path.chmod(0o555)
    try:
        code, _, said = ended(start("train", "quick", "--run-dir", run, *resume))
    finally:
        tmp_path.chmod(0o755)
    check_refused(code, said)
    assert "Permission denied" in said
