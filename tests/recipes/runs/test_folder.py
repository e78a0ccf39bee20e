from pathlib import Path

import pytest

from recipes.errors import RecipeError
from recipes.runs.folder import RunFolder, claimed, write_json


def test_folders_are_made_down_to_the_run(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "b", resume=False) as folder:
        write_json(folder.config, {"x": 1})
    assert RunFolder(tmp_path / "a" / "b").read_config() == {"x": 1}


def test_a_claim_under_which_nothing_was_written_leaves_nothing(tmp_path: Path) -> None:
    with claimed(tmp_path / "a", resume=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_that_was_there_stays(tmp_path: Path) -> None:
    with claimed(tmp_path, resume=False):
        pass
    assert tmp_path.is_dir()


@pytest.mark.parametrize("names", [[], ["config.json", "notes.txt"], ["env.json", ".half"]])
def test_a_run_and_a_start_that_was_cut_short_are_resumed(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with claimed(tmp_path, resume=True) as folder:
        assert folder.path == tmp_path


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"holds no run: config\.json is missing"):
        RunFolder(tmp_path / "nowhere").read_config()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_damaged_settings_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RecipeError, match=r"config\.json' is damaged"):
        RunFolder(tmp_path).read_config()


def test_a_sample_that_cannot_be_kept_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "samples").touch()
    with pytest.raises(RecipeError, match="cannot be written"):
        RunFolder(tmp_path).keep_sample(1, "text")
