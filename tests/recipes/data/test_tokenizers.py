import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.data.ids import check_ids
from recipes.data.kinds import build_tokenizer
from recipes.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    listed,
)
from recipes.errors import RecipeError

texts = st.text(st.characters(codec="utf-8"))


def test_characters_are_numbered_in_the_order_of_their_code_points():
    tokenizer = CharTokenizer.from_text("b\U0001f600aéb")

    assert tokenizer.vocabulary == "abé\U0001f600"
    assert tokenizer.encode("é\U0001f600ab").tolist() == [2, 3, 0, 1]
    assert tokenizer.vocab_size == 4


def test_bytes_are_those_of_utf8():
    assert ByteTokenizer().encode("aé€").tolist() == list(b"a\xc3\xa9\xe2\x82\xac")
    assert ByteTokenizer().vocab_size == 256


@pytest.mark.parametrize("kind", ["characters", "bytes"])
@settings(deadline=None)
@given(text=texts.filter(bool))
def test_decoding_undoes_encoding(kind, text):
    tokenizer = build_tokenizer(kind, text)
    ids = tokenizer.encode(text)

    assert tokenizer.name == kind
    assert ids.dtype == np.int32
    assert tokenizer.decode(ids) == text


@settings(deadline=None)
@given(data=st.binary(), cuts=st.lists(st.integers(0, 20)))
def test_bytes_streamed_in_pieces_are_the_text_decoded_at_once(data, cuts):
    stream = ByteTokenizer().stream()
    text = "".join(stream.push(list(piece)) for piece in pieces(data, cuts)) + stream.flush()

    assert text == data.decode(errors="replace") == ByteTokenizer().decode(list(data))


@settings(deadline=None)
@given(text=texts.filter(bool), cuts=st.lists(st.integers(0, 20)))
def test_characters_are_streamed_at_once(text, cuts):
    tokenizer = CharTokenizer.from_text(text)
    stream = tokenizer.stream()

    for piece in pieces(text, cuts):
        assert stream.push(tokenizer.encode(piece)) == piece
    assert stream.flush() == ""


def pieces(whole, cuts):
    for cut in cuts:
        yield whole[:cut]
        whole = whole[cut:]
    yield whole


def test_an_unfinished_character_is_held_back_until_it_is_complete():
    stream = ByteTokenizer().stream()

    assert [stream.push([byte]) for byte in "é!".encode()] == ["", "é", "!"]


def test_a_flushed_stream_starts_afresh():
    stream = ByteTokenizer().stream()
    stream.push([0xC3])

    assert stream.flush() == "\ufffd"
    assert stream.push([0xA9, 0x41]) == "\ufffdA"


def test_ten_characters_are_listed_and_the_others_counted():
    assert listed("jihgfedcba") == "'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'"
    assert listed("lkjihgfedcba").endswith("'i', 'j' and 2 more")


def test_half_a_surrogate_pair_has_no_bytes():
    with pytest.raises(RecipeError, match=r"holds '\\udcff' at position 2"):
        ByteTokenizer().encode("ab\udcff")


def test_ids_that_are_not_integers_are_refused():
    with pytest.raises(TypeError, match="ids must be integers, not float64"):
        check_ids([0.0, 1.0], vocab_size=2)


def test_no_ids_are_no_text():
    assert CharTokenizer("abc").decode([]) == ByteTokenizer().decode([]) == ""


@pytest.mark.parametrize("vocabulary", ["", "ba", "aab", ["a", "b"], None])
def test_a_vocabulary_must_be_sorted_characters_each_once(vocabulary):
    with pytest.raises(ValueError, match="vocabulary"):
        CharTokenizer(vocabulary)


def test_a_misspelt_kind_is_answered_with_the_nearest():
    with pytest.raises(RecipeError) as caught:
        build_tokenizer("byte", "text")

    assert str(caught.value) == (
        "'byte' is not a tokenizer. Use 'bytes', the nearest of 'characters', 'bytes', 'bpe:4096', "
        "or the path of a tokenizer.json."
    )
