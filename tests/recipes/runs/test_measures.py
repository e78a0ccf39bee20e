"""Perplexities and bits per byte from a loss."""

import math

import numpy as np
import pytest

from recipes.data import ByteTokenizer, Corpus, build_tokenizer
from recipes.data.encoded import encode_corpus
from recipes.data.texts import Piece
from recipes.runs.measures import measure

NATS = 1.25


def test_words_and_bytes_are_those_of_the_predicted_text():
    text = encode_corpus(Corpus("one", "a caf\u00e9 is here"), ByteTokenizer())
    found = measure(NATS, text, ByteTokenizer())
    assert found.per_token == pytest.approx(math.exp(NATS))
    # 14 bytes after the first, and three words: 'café', 'is', 'here'.
    assert found.per_word == pytest.approx(math.exp(NATS * 14 / 3))
    assert found.bits_per_byte == pytest.approx(NATS / math.log(2))


def test_the_ends_of_documents_are_predicted_and_neither_words_nor_bytes():
    documents = Corpus("two", tuple(Piece(text, True) for text in ("one two", "three")))
    tokenizer = build_tokenizer("bpe:257", documents)
    found = measure(NATS, encode_corpus(documents, tokenizer), tokenizer)
    # Twelve bytes and the end between the documents; the end before the first is not predicted.
    assert found.per_word == pytest.approx(math.exp(NATS * 13 / 3))
    assert found.bits_per_byte == pytest.approx(NATS * 13 / 12 / math.log(2))


def test_a_perplexity_too_large_for_a_number_is_infinite():
    text = encode_corpus(Corpus("long", "x" * 2000), ByteTokenizer())
    assert measure(NATS, text, ByteTokenizer()).per_word == np.inf
