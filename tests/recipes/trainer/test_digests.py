from pathlib import Path

from recipes.trainer.digests import file_digests, find_damage


def written(path: Path) -> dict[str, str]:
    (path / "deep").mkdir()
    (path / "deep" / "data").write_bytes(b"content")
    (path / "empty").touch()
    return file_digests(path)


def test_files_that_are_as_written_are_whole(tmp_path: Path) -> None:
    digests = written(tmp_path)
    assert digests["deep/data"].startswith("ed7002b4")  # printf content | sha256sum
    assert find_damage(tmp_path, digests) is None


def test_files_that_came_later_do_not_count(tmp_path: Path) -> None:
    digests = written(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"left by a file browser")
    assert find_damage(tmp_path, digests) is None


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    digests = written(tmp_path)
    (tmp_path / "deep" / "data").write_bytes(b"contents")
    damage = "deep/data is not what was written: its SHA-256 differs"
    assert find_damage(tmp_path, digests) == damage


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    digests = written(tmp_path)
    (tmp_path / "empty").unlink()
    assert find_damage(tmp_path, digests) == "empty cannot be read"
