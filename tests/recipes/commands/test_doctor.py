"""`doctor` says what a machine has, and fails where it cannot write or resume."""

from pathlib import Path

import jax
import pytest

from recipes.commands import main
from recipes.trainer.checkpoints import Checkpoints, Restored


@pytest.mark.slow
def test_a_machine_that_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--run-dir", str(tmp_path / "runs")]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert [*rows] == ["versions", "devices", "memory", "disk", "write", "resume"]
    assert f"jax {jax.__version__}" in rows["versions"]
    assert rows["devices"].startswith(f"{jax.device_count()} x ")
    assert rows["disk"].endswith(f"free in {tmp_path}")
    assert "to the bit" in rows["resume"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_resume_that_differs_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Restored parameters are off by one bit's worth."""
    restore = Checkpoints.restore

    def other(checkpoints: Checkpoints, template, step=None) -> Restored:
        found = restore(checkpoints, template, step)
        params = jax.tree.map(lambda leaf: leaf * (1 + 2.0**-20), found.state.params)
        return Restored(found.state.replace(params=params), found.record)

    monkeypatch.setattr(Checkpoints, "restore", other)
    assert main(["doctor", "--run-dir", str(tmp_path)]) == 2
    printed = capsys.readouterr().out
    assert "resume    FAILED: A resumed training ends with another " in printed
    assert "fix: " in printed


def test_no_room_fails_and_the_rest_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    assert main(["doctor", "--run-dir", str(tmp_path)]) == 2
    rows = capsys.readouterr().out.splitlines()
    assert "write     FAILED: A file cannot be read or written: No space left on device." in rows
    assert rows[-2].startswith("resume    FAILED: There is nothing to resume from.")
