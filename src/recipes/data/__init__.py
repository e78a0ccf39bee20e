"""Texts, tokenizers and batches.

`recipes.data.batches` is imported by its own name: it loads Grain.
"""

from recipes.data.corpora import load_corpus
from recipes.data.corpus import Corpus
from recipes.data.saved_tokenizers import check_same_tokenizer, load_tokenizer, save_tokenizer
from recipes.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    TextStream,
    Tokenizer,
    build_tokenizer,
    check_ids,
    tokenizer_of,
)

__all__ = [
    "ByteTokenizer",
    "CharTokenizer",
    "Corpus",
    "TextStream",
    "Tokenizer",
    "build_tokenizer",
    "check_ids",
    "check_same_tokenizer",
    "load_corpus",
    "load_tokenizer",
    "save_tokenizer",
    "tokenizer_of",
]
