"""Tokenizers, by characters or by bytes."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from recipes.errors import RecipeError

if TYPE_CHECKING:  # Here and in the methods: `--help` takes a quarter longer with numpy.
    import numpy.typing as npt

    from recipes.data.ids import TokenIds


class Tokenizer(Protocol):
    """Protocol of tokenizers: frozen dataclasses, of which the fields are saved."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]  # The kind, as `build_tokenizer` takes it.

    @property
    def vocab_size(self) -> int:
        """Number of token ids, which count from 0."""
        ...

    def encode(self, text: str) -> TokenIds:
        """Encode a text as token ids."""
        ...

    def decode(self, ids: npt.ArrayLike) -> str:
        """Decode token ids to text."""
        ...

    def stream(self) -> Stream:
        """Return a decoder for ids that arrive a few at a time."""
        ...


class Stream(Protocol):
    """Protocol of incremental decoders: their results, joined, equal `decode` of all ids."""

    def push(self, ids: npt.ArrayLike) -> str:
        """Return the characters that `ids` complete."""
        ...

    def flush(self) -> str:
        """Return what is left of an incomplete last character."""
        ...


class TextStream:
    """Incremental decoder: its results, joined, equal `decode` of all ids.

    Example:
        >>> stream = ByteTokenizer().stream()
        >>> stream.push([195]), stream.push([169, 33]), stream.flush()
        ('', 'é!', '')
    """

    def __init__(self, to_bytes: Callable[[npt.ArrayLike], bytes], encoding: str, errors: str):
        self._to_bytes = to_bytes
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)

    def push(self, ids: npt.ArrayLike) -> str:
        """Return the characters that `ids` complete."""
        return self._decoder.decode(self._to_bytes(ids))

    def flush(self) -> str:
        """Return the replacement of an incomplete last character; empty if there is none."""
        return self._decoder.decode(b"", final=True)


@dataclass(frozen=True)
class CharTokenizer:
    """Character tokenizer: the id of a character is its index in the sorted vocabulary.

    Attributes:
        vocabulary: The characters, each once, sorted by code point.

    Raises:
        ValueError: The vocabulary is empty, unsorted or repeats a character.

    Example:
        >>> tokenizer = CharTokenizer.from_text("hello")
        >>> tokenizer.vocabulary, tokenizer.encode("hole").tolist()
        ('ehlo', [1, 3, 2, 0])
    """

    name: ClassVar[str] = "characters"
    vocabulary: str

    def __post_init__(self):
        if not isinstance(self.vocabulary, str) or not self.vocabulary:
            raise ValueError(f"vocabulary={self.vocabulary!r} must be a text of characters.")
        if sorted(set(self.vocabulary)) != list(self.vocabulary):
            raise ValueError("vocabulary must be sorted and hold each character once.")

    @classmethod
    def from_text(cls, text: str) -> CharTokenizer:
        """Build the tokenizer of the characters in `text`."""
        return cls("".join(sorted(set(text))))

    @property
    def vocab_size(self) -> int:
        """Number of characters."""
        return len(self.vocabulary)

    def encode(self, text: str) -> TokenIds:
        """Encode a text as token ids.

        Raises:
            RecipeError: Characters that the vocabulary lacks; up to ten are listed.
        """
        from recipes.data.ids import characters_to_ids

        ids = characters_to_ids(text, self._positions)
        if (ids < 0).any():
            lacking = listed(set(text) - set(self.vocabulary))
            raise RecipeError(
                f"The vocabulary of {self.vocab_size} characters lacks {lacking}.",
                "Leave them out, or train on a text that has them.",
            )
        return ids

    def decode(self, ids: npt.ArrayLike) -> str:
        """Decode token ids to text.

        Raises:
            RecipeError: An id outside the vocabulary, with its position.
        """
        return self._to_bytes(ids).decode("utf-32-le", "surrogatepass")

    def stream(self) -> TextStream:
        """Return a decoder that returns the character of an id at once."""
        return TextStream(self._to_bytes, "utf-32-le", "surrogatepass")

    def _to_bytes(self, ids: npt.ArrayLike) -> bytes:
        from recipes.data.ids import check_ids, code_points

        return code_points(self.vocabulary)[check_ids(ids, self.vocab_size)].tobytes()

    @functools.cached_property
    def _positions(self) -> TokenIds:
        from recipes.data.ids import positions

        return positions(self.vocabulary)


@dataclass(frozen=True)
class ByteTokenizer:
    """Byte tokenizer: one id per byte of the text in UTF-8, so that every text can be encoded.

    Example:
        >>> ByteTokenizer().encode("é").tolist()
        [195, 169]
    """

    name: ClassVar[str] = "bytes"

    @classmethod
    def from_text(cls, text: str) -> ByteTokenizer:
        """Build the tokenizer, which is the same for every text."""
        return cls()

    @property
    def vocab_size(self) -> int:
        """Number of byte values, 256."""
        return 256

    def encode(self, text: str) -> TokenIds:
        """Encode a text as its bytes in UTF-8.

        Raises:
            RecipeError: Half of a surrogate pair, which UTF-8 cannot write.
        """
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise RecipeError(
                f"The text holds {text[error.start]!r} at position {error.start}, "
                "which is not a character of Unicode.",
                "Remove it, or convert the text to UTF-8.",
            ) from error
        from recipes.data.ids import bytes_to_ids

        return bytes_to_ids(data)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Decode bytes to text; invalid UTF-8 becomes U+FFFD.

        Raises:
            RecipeError: An id that is not a byte, with its position.
        """
        return self._to_bytes(ids).decode("utf-8", "replace")

    def stream(self) -> TextStream:
        """Return a decoder that holds back the bytes of an incomplete character."""
        return TextStream(self._to_bytes, "utf-8", "replace")

    def _to_bytes(self, ids: npt.ArrayLike) -> bytes:
        from recipes.data.ids import check_ids

        return check_ids(ids, self.vocab_size).astype("uint8").tobytes()


TOKENIZERS = {kind.name: kind for kind in (CharTokenizer, ByteTokenizer)}


def listed(characters: Iterable[str]) -> str:
    """Format the first ten characters in order, quoted, and the number of others.

    Example:
        >>> listed("ba")
        "'a', 'b'"
    """
    ordered = sorted(characters)
    more = len(ordered) - 10
    return ", ".join(map(repr, ordered[:10])) + (f" and {more} more" if more > 0 else "")
