"""The command that checks one block says what the block lacks, and runs what there is."""

import part
import pytest

pytestmark = pytest.mark.slow


@pytest.mark.further  # each command that it runs is a test of its own
def test_a_block_with_all_its_files_passes(capfd):
    assert part.main("DynamicTanh") == 0
    out = capfd.readouterr().out
    assert "DynamicTanh has all its files." in out
    assert "failed, see above" not in out


def test_a_name_that_is_not_exported_is_told_to_be(capsys):
    assert part.main("DynamicTahn") == 1
    assert "DynamicTahn is not exported" in capsys.readouterr().out


def test_what_is_missing_and_what_fails_is_named(capfd, monkeypatch):
    monkeypatch.setattr(part, "FAMILIES", {})
    monkeypatch.setattr(part, "BLOCKS", {})
    ran = []

    def fails(command, cwd):
        ran.append(command)
        return part.subprocess.CompletedProcess(command, command[0] == "ruff")

    monkeypatch.setattr(part.subprocess, "run", fails)
    assert part.main("GatedMLP") == 1
    said = capfd.readouterr().out
    assert "no law case holds GatedMLP: add one to tests/laws/families/mlp.py" in said
    assert "failed, see above: ruff check" in said
    assert "no page" not in said
    assert "changelog" not in said
    assert ["pytest", "-q", "-n", "0", "tests/laws"] not in [command[:5] for command in ran]


def test_a_tool_that_is_not_installed_is_named(capfd, monkeypatch):
    monkeypatch.setattr(part.shutil, "which", lambda tool: None)
    assert part.main("DynamicTanh") == 1
    said = capfd.readouterr().out
    assert "ruff is not installed: pip install -r requirements-dev.lock" in said
    assert "failed, see above" not in said
