from pathlib import Path

from recipes.trainer.digests import DIGESTS, find_damage, write_digests


def written(path: Path) -> None:
    (path / "deep").mkdir()
    (path / "deep" / "data").write_bytes(b"content")
    (path / "empty").touch()
    write_digests(path)


def test_files_that_are_as_written_are_whole(tmp_path: Path) -> None:
    written(tmp_path)
    assert find_damage(tmp_path) is None


def test_files_that_came_later_do_not_count(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"left by a file browser")
    assert find_damage(tmp_path) is None


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "deep" / "data").write_bytes(b"contents")
    assert find_damage(tmp_path) == f"deep/data is not what {DIGESTS} says"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "empty").unlink()
    assert find_damage(tmp_path) == "empty cannot be read"


def test_every_bit_of_the_digests_counts(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / DIGESTS
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            assert find_damage(tmp_path) is not None, (place, bit)
