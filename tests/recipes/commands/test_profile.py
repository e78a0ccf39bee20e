"""`profile` writes a trace of steps, of a preset or a run."""

from pathlib import Path

import pytest

from recipes.commands import main


def test_steps_of_a_run_are_traced(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(finished.rglob("*"))
    assert main(["profile", str(finished), "--steps", "3", "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("steps  3 in ")
    assert Path(lines[1].split(maxsplit=1)[1]).stat().st_size > 0
    assert f"xprof {tmp_path / 'out'}" in lines[2]
    seconds = [float(line.split()[0]) for line in lines[4:]]
    assert 1 <= len(seconds) <= 10
    assert seconds == sorted(seconds, reverse=True)
    assert sorted(finished.rglob("*")) == before
