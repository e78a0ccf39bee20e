"""Folders, patterns, several files, tables, the standard input and the hub as texts."""

import io
import json
import sys
import types
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from recipes.data import corpora, corpus, load_corpus
from recipes.data.corpora import anywhere, with_input
from recipes.data.texts import text_pieces
from recipes.errors import RecipeError

ROWS = ["one\r\ntwo\n", "", "thré\U0001f600", None, "four"]
DOCUMENTS = ["one\ntwo\n", "thré\U0001f600", "four"]


def documents(*names: object, **options: str) -> list[str]:
    """The documents of a corpus, put together from its pieces."""
    found = [""]
    for text, ends in load_corpus(*map(str, names), **options).pieces():
        found[-1] += text
        found += [""] * ends
    return found[:-1]


def json_lines(path: Path, rows: list, column: str = "text") -> Path:
    path.write_text("\n".join(json.dumps({column: row, "id": 1}) for row in rows) + "\n\n")
    return path


def parquet(path: Path, rows: list, column: str = "text") -> Path:
    table = pyarrow.table({"id": range(len(rows)), column: pyarrow.array(rows, pyarrow.string())})
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    return path


def refusal(*names: object, **options: str) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        load_corpus(*map(str, names), **options)
    return caught.value


@pytest.mark.parametrize(("write", "name"), [(json_lines, "a.jsonl"), (parquet, "a.parquet")])
def test_a_table_has_a_document_in_every_row_that_is_not_empty(tmp_path, write, name):
    assert documents(write(tmp_path / name, ROWS)) == DOCUMENTS
    assert documents(write(tmp_path / name, ROWS, "body"), text_column="body") == DOCUMENTS


@pytest.mark.parametrize(("write", "name"), [(json_lines, "a.jsonl"), (parquet, "a.parquet")])
def test_a_column_that_a_table_lacks_is_answered_with_the_nearest(tmp_path, write, name):
    error = refusal(write(tmp_path / name, ROWS, "texts"))
    assert "has no column 'text'" in error.cause
    assert error.fix == "Use --text-column with 'texts', the nearest of 'id', 'texts'." or (
        error.fix == "Use --text-column with 'texts', the nearest of 'texts', 'id'."
    )


def test_a_column_of_numbers_is_refused_with_its_row(tmp_path):
    error = refusal(json_lines(tmp_path / "a.jsonl", ["a", "b"]), text_column="id")
    assert error.cause.startswith("line 1 of ")
    assert "id='1', which must be a text" in error.cause


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"{", "line 2 of .* is not JSON"),
        (b"[" * 100_000, "line 2 of .* is not JSON"),
        (b"\xff", "line 2 of .* is not JSON"),
        (b"[]", "line 2 of .* must be a JSON object"),
        (b'{"text": "a\\ud800"}', r"line 2 of .* holds '\\ud800' at position 1"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, cause):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n' + line + b"\n")
    with pytest.raises(RecipeError, match=cause):
        load_corpus(str(tmp_path / "a.jsonl"))


@pytest.mark.parametrize("cut", [0, 3, 40, -9, -1])
def test_a_parquet_file_cut_short_is_refused(tmp_path, cut):
    path = parquet(tmp_path / "a.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(path).cause.startswith(f"{str(path)!r} is damaged")


def test_several_files_are_documents_in_the_order_given(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.md").write_text(f"{name}\n")
    assert documents(tmp_path / "b.md", tmp_path / "a.md") == ["b\n", "a\n"]
    assert load_corpus(str(tmp_path / "b.md"), str(tmp_path / "a.md")).name.endswith("a.md")


def test_a_folder_gives_its_texts_and_tables_sorted_by_path(tmp_path):
    (tmp_path / "b" / ".git").mkdir(parents=True)
    for name in ("b/c.txt", "a.txt", "b/README.md", "b/.hidden.txt", "b/.git/x.txt"):
        (tmp_path / name).write_text(name)
    json_lines(tmp_path / "b" / "a.jsonl", ["row"])
    assert documents(tmp_path) == ["a.txt", "row", "b/c.txt"]


def test_a_pattern_gives_the_files_that_match_sorted_by_path(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/c.md", "a.md", "b/a.txt"):
        (tmp_path / name).write_text(name)
    assert documents(tmp_path / "**" / "*.md") == ["a.md", "b/c.md"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    (tmp_path / "a[1].txt").write_text("mine")
    assert documents(tmp_path / "a[1].txt") == ["mine"]


def test_a_folder_and_a_pattern_without_texts_say_what_would_do(tmp_path):
    (tmp_path / "a.bin").touch()
    assert "holds no texts" in refusal(tmp_path).cause
    assert "No file matches" in refusal(tmp_path / "*.txt").cause


def test_names_and_files_go_together(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    first, second = documents("manual", tmp_path / "a.txt")
    assert (first, second) == (load_corpus("manual").text, "mine")


def test_the_digest_tells_documents_apart(tmp_path):
    one = json_lines(tmp_path / "one.jsonl", ["ab", "c"])
    other = json_lines(tmp_path / "other.jsonl", ["a", "bc"])
    assert load_corpus(str(one)).sha256 != load_corpus(str(other)).sha256


def test_a_text_larger_than_memory_should_be_is_read_anew_each_time(tmp_path, monkeypatch):
    path = json_lines(tmp_path / "a.jsonl", ROWS)
    small = load_corpus(str(path))
    monkeypatch.setattr(corpus, "KEPT_CHARACTERS", 3)
    large = load_corpus(str(path))
    assert list(large.pieces()) == list(large.pieces()) == list(small.pieces())
    assert (large.sha256, large.characters, large.documents) == (
        small.sha256, sum(map(len, DOCUMENTS)), 3,
    )  # fmt: skip
    path.unlink()
    assert small.text == "\n".join(DOCUMENTS)
    with pytest.raises(RecipeError, match="cannot be read"):
        list(large.pieces())


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1000])
def test_pieces_of_a_text_file_are_its_text_and_whole_lines(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\n\r\nthré\U0001f600\rx\r\nlong long".encode())
    pieces = list(text_pieces(path, block))
    assert "".join(piece.text for piece in pieces) == "one\n\nthré\U0001f600\rx\nlong long"
    assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 1000])
def test_the_offset_of_a_wrong_byte_is_that_of_the_file(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_bytes("é\n".encode() * 3 + b"\xc3(")
    with pytest.raises(RecipeError, match="byte 0xc3 at offset 9"):
        list(text_pieces(path, block))
    path.write_bytes(b"abc\nde\0")
    with pytest.raises(RecipeError, match="NUL byte at offset 6"):
        list(text_pieces(path, block))


def test_the_standard_input_is_kept_to_be_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\n")))
    name = with_input("-")
    assert anywhere(name) == name
    assert documents(name) == ["from a pipe\n"]


def test_a_terminal_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    with pytest.raises(RecipeError, match="which is a terminal"):
        with_input("-")


def test_paths_are_found_from_another_folder_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert anywhere("a/*.txt") == str(tmp_path / "a/*.txt")
    assert [anywhere(name) for name in ("manual", "hf:a/b")] == ["manual", "hf:a/b"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("hf:owner/set", ("owner/set", None, "train")),
        ("hf:owner/set:raw-v1", ("owner/set", "raw-v1", "train")),
        ("hf:owner/set:raw-v1:validation", ("owner/set", "raw-v1", "validation")),
    ],
)
def test_a_data_set_of_the_hub_is_asked_for_by_name_and_split(monkeypatch, name, asked):
    calls = []

    def load_dataset(name, config, *, split):
        calls.append((name, config, split))
        return [{"text": row} for row in ROWS]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    assert documents(name) == DOCUMENTS
    assert set(calls) == {asked}


def test_what_the_hub_does_not_have_is_one_sentence(monkeypatch):
    def load_dataset(*_, split):
        raise RuntimeError("Dataset 'x' doesn't exist\nTraceback follows")

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    error = refusal("hf:x")
    assert error.cause == "'hf:x' cannot be loaded: Dataset 'x' doesn't exist."


@pytest.mark.parametrize(
    ("package", "name"), [("pyarrow", "a.parquet"), ("datasets", "hf:owner/set")]
)
def test_without_the_package_the_error_names_the_extra(tmp_path, monkeypatch, package, name):
    parquet(tmp_path / "a.parquet", ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    error = refusal(name)
    assert f"needs the package {package}" in error.cause
    assert "linen-blocks[data]" in error.fix
