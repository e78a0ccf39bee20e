"""Texts, tokenizers and batches.

`recipes.data.batches` and `recipes.data.ids` are imported by their own names: one loads Grain when
it draws, the other numpy.
"""

from recipes.data.corpora import load_corpus
from recipes.data.corpus import Corpus
from recipes.data.kinds import build_tokenizer, check_kind
from recipes.data.saved_tokenizers import check_same_tokenizer, load_tokenizer, save_tokenizer
from recipes.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    TextStream,
    Tokenizer,
)

__all__ = [
    "ByteTokenizer",
    "CharTokenizer",
    "Corpus",
    "TextStream",
    "Tokenizer",
    "build_tokenizer",
    "check_kind",
    "check_same_tokenizer",
    "load_corpus",
    "load_tokenizer",
    "save_tokenizer",
]
