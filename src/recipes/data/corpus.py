"""A training text as a value, which need not fit into memory."""

import collections
import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recipes.data.texts import Piece
from recipes.errors import RecipeError

# Texts up to this size are kept in memory, others read anew from their files.
KEPT_CHARACTERS = 64 * 1024 * 1024


@dataclass(frozen=True)
class Corpus:
    """A text, or several documents, with a digest.

    Attributes:
        name: The names or paths that it was loaded by.
        source: The text, or pieces of documents that can be read again and again; a text that is
            larger than memory is read from its files.
        validation: Text to validate on; None for the last tenth of this one.
        weights: How often windows of each of its sources are drawn, as a share of their sum; empty
            to draw from all of the text alike.
        ends: Number of documents up to the end of each source, where there are weights.
    """

    name: str
    source: str | Iterable[Piece] = field(repr=False)
    validation: "Corpus | None" = None
    weights: tuple[float, ...] = ()
    ends: tuple[int, ...] = ()

    def pieces(self) -> Iterator[Piece]:
        """Read the text piece by piece."""
        return iter([Piece(self.source, True)] if isinstance(self.source, str) else self.source)

    @functools.cached_property
    def text(self) -> str:
        """The whole text, with a line break between documents."""
        if isinstance(self.source, str):
            return self.source
        texts = [text + "\n" * ends for text, ends in self.pieces()]
        return "".join(texts).removesuffix("\n")

    @property
    def sha256(self) -> str:
        """The SHA-256 of the text in UTF-8, in hexadecimal, with a NUL byte between documents."""
        return self._measures[0]

    @property
    def characters(self) -> int:
        """Number of characters."""
        return self._measures[1]

    @property
    def documents(self) -> int:
        """Number of documents."""
        return self._measures[2]

    @property
    def start(self) -> str:
        """The first character."""
        return next(text for text, _ in self.pieces() if text)[0]

    @functools.cached_property
    def _measures(self) -> tuple[str, int, int]:
        measured = Measured(self.pieces())
        collections.deque(measured, maxlen=0)
        return measured.result


class Measured(Iterator[Piece]):
    """Pieces of documents, which are hashed and counted while they are read.

    Attributes:
        characters: Number of characters so far.
        documents: Number of documents so far.
    """

    def __init__(self, pieces: Iterable[Piece]):
        self.characters = self.documents = 0
        self._pieces, self._digest = iter(pieces), hashlib.sha256()
        self._between = False

    def __next__(self) -> Piece:
        piece = next(self._pieces)
        self._digest.update(b"\0" * self._between + piece.text.encode(errors="surrogatepass"))
        self.characters += len(piece.text)
        self.documents += piece.ends
        self._between = piece.ends
        return piece

    @property
    def result(self) -> tuple[str, int, int]:
        """The digest, the number of characters, the number of documents."""
        return self._digest.hexdigest(), self.characters, self.documents


@dataclass(frozen=True)
class Chained:
    """Sources of pieces, one after the other."""

    sources: tuple[Iterable[Piece], ...]

    def __iter__(self) -> Iterator[Piece]:
        return itertools.chain.from_iterable(self.sources)


def corpus_of(
    name: str,
    source: Chained,
    validation: Corpus | None,
    weights: tuple[float, ...] = (),
) -> Corpus:
    """Read sources once, to find what is wrong with them; keep small ones in memory.

    Args:
        name: The names or paths of the sources.
        source: The sources.
        validation: Text to validate on.
        weights: The weight of each source; empty for none.

    Raises:
        RecipeError: They are empty, or one with a weight is, or they cannot be read.
    """
    ends: list[int] = []

    def pieces() -> Iterator[Piece]:
        for each in source.sources:
            yield from each
            ends.append(measured.documents)

    measured, kept = Measured(pieces()), []
    for piece in measured:
        kept.append(piece)
        if measured.characters > KEPT_CHARACTERS:
            kept.clear()
    if not measured.characters:
        raise RecipeError(f"{name!r} is empty.", "Give a file with text in it.")
    kept_whole = measured.characters <= KEPT_CHARACTERS
    if weights and any(first == last for first, last in itertools.pairwise([0, *ends])):
        raise RecipeError(
            f"One of {name!r} is empty, and has a weight.", "Leave it out, with its weight."
        )
    kept_source = tuple(kept) if kept_whole else source
    corpus = Corpus(name, kept_source, validation, weights, tuple(ends) if weights else ())
    corpus.__dict__["_measures"] = measured.result
    return corpus
