"""Texts as token ids: what stands between documents, and files that hold large texts."""

import numpy as np
import pytest

from recipes.data import ByteTokenizer, CharTokenizer, Corpus, build_tokenizer, token_cache
from recipes.data.encoded import encode_corpus
from recipes.data.texts import Piece
from recipes.data.token_cache import encoded

TEXTS = ["one two", "three", "four five six"]
DOCUMENTS = Corpus("three", tuple(Piece(text, True) for text in TEXTS))


def test_one_document_is_encoded_as_it_stands():
    found = encode_corpus(Corpus("one", "abé"), ByteTokenizer())
    assert found.ids.tolist() == list("abé".encode())
    assert found.starts.tolist() == [0]


def test_documents_of_characters_and_bytes_begin_with_a_line_break():
    for tokenizer in (ByteTokenizer(), CharTokenizer.from_text("\n".join(TEXTS))):
        found = encode_corpus(DOCUMENTS, tokenizer)
        assert tokenizer.decode(found.ids) == "".join(f"\n{text}" for text in TEXTS)
        assert found.starts.tolist() == [0, 8, 14]


def test_documents_of_byte_pairs_begin_with_the_end_of_a_text():
    tokenizer = build_tokenizer("bpe:260", DOCUMENTS)
    found = encode_corpus(DOCUMENTS, tokenizer)
    end = tokenizer.special_ids["eos_token"]
    assert tokenizer.decode(found.ids) == "".join(f"<|endoftext|>{text}" for text in TEXTS)
    assert np.flatnonzero(found.ids == end).tolist() == found.starts.tolist()


def test_pieces_of_a_document_are_one_document():
    pieces = tuple(Piece(text, ends) for text, ends in [("a", False), ("b", True), ("c", True)])
    found = encode_corpus(Corpus("two", pieces), ByteTokenizer())
    assert bytes(found.ids.tolist()) == b"\nab\nc"
    assert found.starts.tolist() == [0, 3]


@pytest.mark.parametrize("batch", [1, 6, 1000])
def test_a_text_on_disk_is_the_text_in_memory(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(token_cache, "CACHED_CHARACTERS", 1)
    monkeypatch.setattr("recipes.data.encoded.BATCH_CHARACTERS", batch)
    said = []
    first = encoded(DOCUMENTS, ByteTokenizer(), cache_dir=tmp_path, say=said.append)
    again = encoded(DOCUMENTS, ByteTokenizer(), cache_dir=tmp_path, say=said.append)
    whole = encode_corpus(DOCUMENTS, ByteTokenizer())
    for found in (first, again):
        assert isinstance(found.ids, np.memmap)
        assert found.ids.dtype == np.uint16
        np.testing.assert_array_equal(found.ids, whole.ids)
        np.testing.assert_array_equal(found.starts, whole.starts)
    assert len(said) == 1


def test_a_small_text_is_kept_on_no_disk(tmp_path):
    encoded(DOCUMENTS, ByteTokenizer(), cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_large_vocabulary_has_wider_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache, "CACHED_CHARACTERS", 1)
    text = "".join(map(chr, range(0x4E00, 0x9FFF))) + "".join(map(chr, range(0x20000, 0x2E000)))
    tokenizer = CharTokenizer.from_text(text)
    assert tokenizer.vocab_size > 2**16
    found = encoded(Corpus("many", text), tokenizer, cache_dir=tmp_path, say=str)
    assert found.ids.dtype == np.uint32
    assert found.ids[-1] == tokenizer.vocab_size - 1
