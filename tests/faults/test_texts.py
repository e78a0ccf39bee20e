"""What is no text, and texts and token ids that a vocabulary lacks, are refused with the place."""

from pathlib import Path

import numpy as np
import pytest
from small_recipe import SMALL, TEXT

from recipes.commands import main
from recipes.data.batches import split_tokens
from recipes.data.corpora import load_corpus
from recipes.data.saved_tokenizers import check_same_tokenizer
from recipes.data.tokenizers import ByteTokenizer, CharTokenizer
from recipes.errors import RecipeError
from recipes.generation.prompts import check_vocabulary


@pytest.mark.fault(29)
def test_a_file_is_read_without_mark_and_carriage_returns(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\nthr\ree\r\n")

    corpus = load_corpus(str(path))

    assert (corpus.name, corpus.text) == (str(path), "one\ntwo\nthr\ree\n")


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"abc\xffdef", "is not UTF-8: byte 0xff at offset 3"),
        (b"\xef\xbb\xbfabc\xc3", "is not UTF-8: byte 0xc3 at offset 6"),
        (b"\x7fELF\x00\x01", "has a NUL byte at offset 4"),
        ("text".encode("utf-16"), "has a NUL byte at offset 3"),
    ],
)
def test_what_is_no_text_is_refused_with_the_offset(tmp_path, data, cause):
    path = tmp_path / "data.txt"
    path.write_bytes(data)

    with pytest.raises(RecipeError) as caught:
        load_corpus(str(path))
    assert caught.value.cause.startswith(f"{str(path)!r} {cause}")


@pytest.mark.fault(29)
@pytest.mark.parametrize("data", [b"", b"short", b"a\0b", b"a\xff"], ids=repr)
def test_a_run_on_what_is_no_text_ends_with_a_sentence_and_no_folder(tmp_path, capsys, data):
    path = tmp_path / "data.txt"
    path.write_bytes(data)

    assert main([*SMALL, "--data", str(path), "--run-dir", str(tmp_path / "run")]) == 2

    assert len(capsys.readouterr().err.splitlines()) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.txt"]


@pytest.mark.fault(29)
def test_a_corpus_shorter_than_the_context_is_refused_with_both_numbers_and_what_would_do():
    with pytest.raises(RecipeError) as caught:
        split_tokens(np.zeros(100), context=64)

    assert caught.value.cause == (
        "The corpus has 100 tokens, 90 to train on and 10 to validate on, "
        "and context=64 needs 65 in each."
    )
    assert caught.value.fix == "Use a corpus of 641 tokens or more, or context=9 at most."
    split_tokens(np.zeros(641), context=64)
    split_tokens(np.zeros(100), context=9)


@pytest.mark.fault(29)
def test_a_corpus_too_short_for_any_context_is_refused_without_naming_one():
    with pytest.raises(RecipeError) as caught:
        split_tokens(np.zeros(5), context=8)

    assert caught.value.fix == "Use a corpus of 81 tokens or more."


@pytest.mark.fault(33)
def test_unknown_characters_are_listed():
    with pytest.raises(RecipeError) as caught:
        CharTokenizer.from_text("abc").encode("ab\x00z\nzé")

    expected = r"The vocabulary of 3 characters lacks '\x00', '\n', 'z', 'é'."
    assert caught.value.cause == expected


@pytest.mark.fault(33)
@pytest.mark.parametrize("character", ["\x00", "`", "b", "z", "\U0010ffff", "\udcff"])
def test_characters_before_between_and_after_the_known_are_unknown(character):
    with pytest.raises(RecipeError, match="lacks"):
        CharTokenizer("ac").encode(f"a{character}c")


@pytest.mark.fault(31)
@pytest.mark.parametrize("tokenizer", [CharTokenizer("abc"), ByteTokenizer()], ids=repr)
@pytest.mark.parametrize("wrong", [-1, 256])
def test_an_id_outside_the_vocabulary_is_refused_with_its_place(tokenizer, wrong):
    expected = f"Token id {wrong} at position 2 .*, 0 to {tokenizer.vocab_size - 1}"

    with pytest.raises(RecipeError, match=expected):
        tokenizer.decode([0, 1, wrong])
    with pytest.raises(RecipeError, match=expected):
        tokenizer.stream().push([0, 1, wrong])


@pytest.mark.fault(31)
@pytest.mark.parametrize("token", [-1, 5])
def test_an_id_outside_the_vocabulary_is_refused_with_its_row(token):
    with pytest.raises(RecipeError, match=f"id {token} in row 1 of prompt is outside.* 0 to 4"):
        check_vocabulary(np.array([[1, 2], [3, token]]), 5)


@pytest.mark.fault(32)
def test_another_vocabulary_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "text.txt"
    words = [*SMALL, "--data", str(corpus), "--run-dir", str(tmp_path / "run")]
    corpus.write_text(TEXT)
    assert main([*words, "--max-steps", "10"]) == 0
    corpus.write_text(TEXT.replace("cat", "fox"))
    assert main([*words, "--max-steps", "20", "--resume", "auto"]) == 2
    assert "The vocabulary of the run lacks 'f', 'x'" in capsys.readouterr().err


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("trained", "given", "cause"),
    [
        (ByteTokenizer(), CharTokenizer("a"), "with the tokenizer 'bytes', not 'characters'"),
        (CharTokenizer("ab"), CharTokenizer("abc"), "of the run lacks 'c'."),
        (CharTokenizer("abc"), CharTokenizer("ab"), "of the run alone has 'c'."),
        (CharTokenizer("ab"), CharTokenizer("bc"), "of the run lacks 'c' and alone has 'a'."),
    ],
)
def test_another_tokenizer_is_refused_with_the_difference(trained, given, cause):
    with pytest.raises(RecipeError, match=cause):
        check_same_tokenizer(trained, given)
