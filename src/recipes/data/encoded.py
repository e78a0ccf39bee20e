"""Texts as token ids, in memory or in files that are mapped into it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipes.data.corpus import Corpus
from recipes.data.ids import check_ids
from recipes.data.texts import Piece
from recipes.data.tokenizers import Tokenizer
from recipes.errors import RecipeError

Ids = npt.NDArray[np.integer]
# Characters that are encoded together.
BATCH_CHARACTERS = 2 * 1024 * 1024


@dataclass(frozen=True)
class EncodedText:
    """Token ids of documents that follow one another.

    Attributes:
        ids: Token ids.
        starts: Where documents start, in tokens; the first starts at 0.
    """

    ids: Ids
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, first: int, last: int) -> EncodedText:
        """The tokens from `first` to before `last`; a document that is cut starts there."""
        inside = self.starts[(self.starts > first) & (self.starts < last)]
        return EncodedText(self.ids[first:last], np.concatenate([[0], inside - first]))

    def excerpt(self, tokens: int | None = None) -> EncodedText:
        """The first tokens, or all."""
        return self if tokens is None else self.part(0, tokens)


@dataclass(frozen=True)
class Mixture(EncodedText):
    """Texts that windows are drawn from in the proportions of their weights.

    Attributes:
        parts: First token of each text, and the one after its last; other tokens are not used.
        weights: Weight of each text; batches round it to a hundredth of the smallest.
    """

    parts: tuple[tuple[int, int], ...]
    weights: tuple[float, ...]

    def excerpt(self, tokens: int | None = None) -> EncodedText:
        """The beginnings of all texts, in the proportions of their weights, or all of them."""
        counts = [last - first for first, last in self.parts]
        if tokens is not None:
            shares = [math.ceil(tokens * weight / sum(self.weights)) for weight in self.weights]
            counts = map(min, counts, shares)
        found = [
            self.part(first, first + count)
            for (first, _), count in zip(self.parts, counts, strict=True)
        ]
        before = np.cumsum([0, *map(len, found[:-1])])
        return EncodedText(
            np.concatenate([text.ids for text in found]),
            np.concatenate([text.starts + n for text, n in zip(found, before, strict=True)]),
        )


def as_encoded(tokens: EncodedText | npt.ArrayLike) -> EncodedText:
    """Take an array of token ids for one document."""
    if isinstance(tokens, EncodedText):
        return tokens
    return EncodedText(np.asarray(tokens), np.zeros(1, np.int64))


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer) -> EncodedText:
    """Encode a corpus in memory.

    Raises:
        RecipeError: Characters that the vocabulary lacks.
    """
    parts, starts = zip(*encoded_parts(corpus.pieces(), corpus.documents, tokenizer), strict=True)
    return EncodedText(np.concatenate(parts), np.concatenate(starts))


def encoded_parts(
    pieces: Iterable[Piece], documents: int, tokenizer: Tokenizer
) -> Iterator[tuple[Ids, npt.NDArray[np.int64]]]:
    """Encode pieces a few at a time; also yield where documents start, in tokens.

    Each of several documents begins with the token that ends a text, if the tokenizer has one,
    and else with a line break. So the end of a document is learned, and its first token too.

    Raises:
        RecipeError: Characters that the vocabulary lacks.
    """
    opening = between(tokenizer) if documents > 1 else np.zeros(0, np.int32)
    position, begins = 0, True
    for texts, ends in _batches(pieces):
        parts, starts = [], []
        for ids, end in zip(_encode(tokenizer, texts), ends, strict=True):
            if begins:
                starts.append(position)
                parts.append(opening)
                position += len(opening)
            parts.append(ids)
            position += len(ids)
            begins = end
        known = check_ids(np.concatenate(parts), tokenizer.vocab_size)
        yield known, np.asarray(starts, np.int64)


def between(tokenizer: Tokenizer) -> Ids:
    """Token ids that stand before each of several documents."""
    end = getattr(tokenizer, "special_ids", {}).get("eos_token")
    return _encode(tokenizer, ["\n"])[0] if end is None else np.array([end], np.int32)


def check_inside(tokens: EncodedText, vocab_size: int) -> None:
    """Refuse ids that a model has no row for: JAX would train another row in silence.

    Raises:
        RecipeError: An id outside the vocabulary, with its position.
    """
    for first in range(0, len(tokens), BATCH_CHARACTERS):
        part = tokens.ids[first : first + BATCH_CHARACTERS]
        if len(outside := np.flatnonzero((part < 0) | (part >= vocab_size))):
            raise RecipeError(
                f"Token id {part[outside[0]]} at position {first + outside[0]} of the text is "
                f"outside the vocabulary of the model, 0 to {vocab_size - 1}.",
                "Use the tokenizer and the model that belong together.",
            )


def _encode(tokenizer: Tokenizer, texts: list[str]) -> list[Ids]:
    """Encode texts, without tokens around them; many at once where the tokenizer can."""
    many = getattr(tokenizer, "encode_many", None)
    return many(texts) if many else [tokenizer.encode(text) for text in texts]


def _batches(pieces: Iterable[Piece]) -> Iterator[tuple[list[str], list[bool]]]:
    texts: list[str] = []
    ends: list[bool] = []
    size = 0
    for text, end in pieces:
        texts.append(text)
        ends.append(end)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield texts, ends
            texts, ends, size = [], [], 0
    if texts:
        yield texts, ends
