"""Encoded texts on disk that are damaged or of something else are made anew, and it is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from recipes.data import ByteTokenizer, Corpus, token_cache
from recipes.data.encoded import EncodedText, check_inside
from recipes.data.texts import Piece
from recipes.data.token_cache import encoded
from recipes.errors import RecipeError

CORPUS = Corpus("text", "to be or not to be " * 20)


@pytest.fixture(autouse=True)
def _keep_small_texts_too(monkeypatch):
    monkeypatch.setattr(token_cache, "CACHED_CHARACTERS", 1)


def record(folder: Path, **changes: object) -> None:
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "a flipped bit": lambda folder: flip(folder / "ids.bin", 7),
    "a flipped bit of the starts": lambda folder: flip(folder / "starts.bin", 0),
    "cut short": lambda folder: (folder / "ids.bin").write_bytes(b"\0" * 10),
    "longer": lambda folder: (folder / "ids.bin").write_bytes(b"\0" * 762),
    "no ids": lambda folder: (folder / "ids.bin").unlink(),
    "no record": lambda folder: (folder / "record.json").unlink(),
    "half a record": lambda folder: (folder / "record.json").write_text('{"format": 1, "co'),
    "a list": lambda folder: (folder / "record.json").write_text("[]"),
    "deep": lambda folder: (folder / "record.json").write_text("[" * 100_000),
    "another text": lambda folder: record(folder, corpus="0" * 64),
    "another tokenizer": lambda folder: record(folder, tokenizer="0" * 64),
    "another version": lambda folder: record(folder, format=2),
    "no dtype": lambda folder: record(folder, ids={"bytes": 760, "dtype": "nothing"}),
    "no size": lambda folder: record(folder, ids={}),
}


@pytest.mark.fault(30)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_made_anew_and_it_is_said(tmp_path, damage):
    said: list[str] = []
    whole = np.array(encoded(CORPUS, ByteTokenizer(), cache_dir=tmp_path, say=said.append).ids)
    (folder,) = (tmp_path / "tokens").iterdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder)

    found = encoded(CORPUS, ByteTokenizer(), cache_dir=tmp_path, say=said.append)

    np.testing.assert_array_equal(found.ids, whole)
    assert "are not used" in said[1]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.fault(30)
def test_another_text_or_tokenizer_has_a_cache_of_its_own(tmp_path):
    other = Corpus("text", CORPUS.text.replace("be", "go"))
    for corpus in (CORPUS, other):
        found = encoded(corpus, ByteTokenizer(), cache_dir=tmp_path, say=str)
        assert bytes(found.ids.tolist()).decode() == corpus.text
    assert len(list((tmp_path / "tokens").iterdir())) == 2


@pytest.mark.fault(30)
def test_a_text_that_changes_while_it_is_read_is_refused_and_not_kept(tmp_path):
    class Changing:
        reads = 0

        def __iter__(self):
            self.reads += 1
            yield Piece("text " * self.reads, True)

    with pytest.raises(RecipeError, match="changed while it was read"):
        encoded(Corpus("changing", Changing()), ByteTokenizer(), cache_dir=tmp_path, say=str)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.fault(30)
def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "tokens").write_text("a file where the folder should be")
    with pytest.raises(RecipeError, match="cannot be kept in") as caught:
        encoded(CORPUS, ByteTokenizer(), cache_dir=tmp_path, say=str)
    assert "XDG_CACHE_HOME" in caught.value.fix


@pytest.mark.fault(31)
@pytest.mark.parametrize("wrong", [-1, 7, 2**31 - 1])
def test_an_id_that_a_model_has_no_row_for_is_refused_with_its_place(monkeypatch, wrong):
    monkeypatch.setattr("recipes.data.encoded.BATCH_CHARACTERS", 4)
    ids = np.array([0, 6, 3, 2, 1, wrong, 5, wrong])
    with pytest.raises(RecipeError, match=f"id {wrong} at position 5 of .* the model, 0 to 6"):
        check_inside(EncodedText(ids, np.zeros(1, np.int64)), 7)
