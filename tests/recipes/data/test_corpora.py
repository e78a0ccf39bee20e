import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from recipes.data import corpora
from recipes.data.corpora import load_corpus
from recipes.errors import RecipeError


def refusal(name: object) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        load_corpus(str(name))
    return caught.value


def test_manual_holds_every_topic_in_order():
    rest = load_corpus("manual").text + "\n"

    for name in sorted(topics):
        assert rest.startswith(topics[name] + "\n"), name
        rest = rest[len(topics[name]) + 1 :]
    assert not rest


def test_digest_is_of_the_text_in_utf8(tmp_path):
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9\r\n")

    corpus = load_corpus(str(tmp_path / "text"))

    assert corpus.sha256 == hashlib.sha256(b"caf\xc3\xa9\n").hexdigest()


def test_stdlib_holds_the_library_and_not_what_was_installed():
    text = load_corpus("stdlib").text

    assert Path(json.__file__).read_text(encoding="utf-8") in text
    assert Path(pytest.__file__).read_text(encoding="utf-8") not in text
    assert 8e6 < len(text) < 16e6


def test_stdlib_is_sorted_by_path_without_tests_packages_and_unreadable_files(
    tmp_path, monkeypatch
):
    files = {
        "b.py": b"b",
        "a/z.py": b"a/z\r\n",
        "a/latin.py": b"\xe9",
        "a/empty.py": b"",
        "a.py": b"a",
        "a/notes.txt": b"notes",
        "a/tests/t.py": b"test",
        "test/t.py": b"test",
        "site-packages/p.py": b"package",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "a" / "dangling.py").symlink_to(tmp_path / "missing.py")
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(tmp_path)}.get)

    assert load_corpus("stdlib").text == "a/z\n\na\nb"


def test_a_python_without_sources_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(tmp_path)}.get)

    assert "keeps no source files" in refusal("stdlib").cause


def test_a_python_without_the_manual_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)

    assert "without pydoc_data" in refusal("manual").cause


def test_shakespeare_is_downloaded_once_into_the_cache_of_the_user(tmp_path, monkeypatch):
    source = tmp_path / "source.txt"
    source.write_bytes(b"First Citizen:\n")
    digest = hashlib.sha256(b"First Citizen:\n").hexdigest()
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", digest)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    first = load_corpus("shakespeare", shakespeare_url=source.as_uri())
    source.unlink()

    assert os.listdir(tmp_path / "linen-blocks") == ["tinyshakespeare.txt"]
    assert load_corpus("shakespeare") == first
    assert first.text == "First Citizen:\n"


def test_shakespeare_with_another_hash_is_refused_and_not_kept(tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("Sweet prince")

    with pytest.raises(RecipeError, match=f"instead of {corpora.SHAKESPEARE_SHA256}"):
        load_corpus("shakespeare", cache_dir=tmp_path / "cache", shakespeare_url=other.as_uri())

    assert not (tmp_path / "cache").exists()


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "text.txt").write_text("home")

    assert load_corpus("~/text.txt").text == "home"


def test_a_name_wins_over_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("manual").write_text("mine")

    assert load_corpus("manual").text != "mine"
    assert load_corpus("./manual").text == "mine"


def test_a_misspelt_name_is_answered_with_the_nearest():
    error = refusal("shakespear")

    assert error.cause == "'shakespear' is neither a corpus nor a file."
    assert error.fix.startswith("Use 'shakespeare', the nearest of 'manual', ")


@pytest.mark.parametrize("name", ["missing.txt", "folder/missing", os.path.join("~", "missing")])
def test_a_path_that_does_not_exist_is_told_from_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    assert refusal(name).cause == f"The file {name!r} does not exist."


def test_a_path_through_a_file_does_not_exist(tmp_path):
    (tmp_path / "file").write_text("text")

    assert "does not exist" in refusal(tmp_path / "file" / "child").cause


def test_a_path_that_the_system_refuses_is_named():
    assert "cannot be read: File name too long" in refusal("long" * 100).cause


def test_corpora_and_tokenizers_load_neither_jax_nor_grain():
    script = "import recipes.data, sys; print({'jax', 'grain'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.strip() == "set()", done.stderr
