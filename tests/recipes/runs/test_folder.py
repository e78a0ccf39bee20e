import subprocess
import sys
from pathlib import Path

import pytest

from recipes.errors import RecipeError
from recipes.runs.folder import RunFolder, claimed, write_json


def refusal(path: Path, *, resume: bool = False) -> str:
    with pytest.raises(RecipeError) as refused, claimed(path, resume=resume):
        pass
    return refused.value.cause


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


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert "is a file, not a folder" in refusal(tmp_path / "a")
    assert "cannot be written: Not a directory" in refusal(tmp_path / "a" / "b")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that refuses root too")
def test_a_folder_that_cannot_be_made_is_refused() -> None:
    assert "cannot be written" in refusal(Path("/proc/run"))


def test_a_folder_with_files_is_refused_without_resume(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not empty" in refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_of_other_files_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds files, but no run" in refusal(tmp_path, resume=True)


@pytest.mark.parametrize("names", [[], ["config.json", "notes.txt"], ["env.json", ".half"]])
def test_a_run_and_a_start_that_was_cut_short_are_resumed(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with claimed(tmp_path, resume=True) as folder:
        assert folder.path == tmp_path


def test_a_second_claim_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from recipes.runs.folder import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1]), resume=False):\n"
        "    print('claimed', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        for resume in (False, True):
            cause = refusal(tmp_path / "run", resume=resume)
            assert f"Another process, {process.pid}, is training in" in cause
        process.kill()
    # What a killed process leaves is no claim.
    assert (tmp_path / "run" / ".holder").read_text() == f"{process.pid}\n"
    with claimed(tmp_path / "run", resume=False):
        pass


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
