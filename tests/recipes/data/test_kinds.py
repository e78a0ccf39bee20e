"""Byte pairs trained on a text, and tokenizers from files."""

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.data import Corpus, build_tokenizer, load_tokenizer, save_tokenizer
from recipes.data.kinds import check_kind
from recipes.data.texts import Piece
from recipes.errors import RecipeError

TEXT = "low lower lowest new newer newest wide wider widest\n" * 20


@pytest.fixture(scope="module")
def pairs():
    return build_tokenizer("bpe:300", TEXT)


def test_the_most_frequent_pair_is_the_first_that_is_joined():
    # In 'aaab' twenty times and 'cd' once: 'aa', then 'aaa' or 'ab', never 'cd'.
    tokenizer = build_tokenizer("bpe:258", "aaab " * 20 + "cd")
    assert tokenizer.vocab_size == 258
    assert [tokenizer.decode([i]) for i in tokenizer.encode("aaab")] == ["aa", "a", "b"]
    assert len(tokenizer.encode("cd")) == 2


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8")))
def test_every_text_is_encoded_and_comes_back(pairs, text):
    assert pairs.decode(pairs.encode(text)) == text


def test_a_vocabulary_is_no_larger_than_asked_for():
    assert build_tokenizer("bpe:265", TEXT).vocab_size == 265
    assert build_tokenizer("bpe:5000", "ab ab").vocab_size < 270


def test_the_same_text_gives_the_same_tokenizer(pairs):
    assert build_tokenizer("bpe:300", TEXT) == pairs
    whole = Corpus("two", [Piece(TEXT[:520], False), Piece(TEXT[520:], True)])
    assert build_tokenizer("bpe:300", whole) == pairs


def test_the_end_of_a_text_is_a_token_of_its_own(pairs):
    end = pairs.special_ids["eos_token"]
    assert pairs.encode("<|endoftext|>").tolist() == [end]
    assert pairs.decode([end], skip_special=True) == ""


def test_byte_pairs_survive_the_way_to_a_run_and_back(pairs, tmp_path):
    save_tokenizer(pairs, tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path / "tokenizer.json") == pairs


@pytest.mark.parametrize("name", ["tokenizer.json", "", "mine.json"])
def test_a_tokenizer_is_read_from_its_file_or_its_folder(pairs, tmp_path, name):
    (tmp_path / "tokenizer.json").write_text(pairs.content)
    (tmp_path / "mine.json").write_text(pairs.content)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    found = build_tokenizer(str(tmp_path / name), "another text")
    assert found.encode(TEXT).tolist() == pairs.encode(TEXT).tolist()
    assert found.special_ids == pairs.special_ids


def test_documents_of_characters_have_a_line_break_between_them():
    documents = Corpus("two", [Piece("ab", True), Piece("c", True)])
    assert build_tokenizer("characters", documents).vocabulary == "\nabc"
    assert build_tokenizer("characters", Corpus("one", "abc")).vocabulary == "abc"


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("bpe", "does not say how many"),
        ("bpe:", "does not say how many"),
        ("bpe:many", "does not say how many"),
        ("bpe:256", "must have 257 tokens or more"),
        ("byte-pairs", "'byte-pairs' is not a tokenizer"),
        ("gone.json", "'gone.json' does not exist"),
        ("gone/folder", "'gone/folder' does not exist"),
    ],
)
def test_a_kind_that_is_none_is_refused_before_a_text_is_read(kind, cause):
    with pytest.raises(RecipeError, match=cause):
        check_kind(kind)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(RecipeError, match=r"tokenizer\.json is damaged"):
        build_tokenizer(str(tmp_path / "tokenizer.json"), "text")


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RecipeError) as caught:
        build_tokenizer("bpe:300", TEXT)
    assert "linen-blocks[hf]" in caught.value.fix
