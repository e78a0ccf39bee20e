"""Tokenizers, by characters or by bytes."""

import codecs
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from recipes.errors import RecipeError

TokenIds = npt.NDArray[np.int32]


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

    def stream(self) -> "Stream":
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
    def from_text(cls, text: str) -> "CharTokenizer":
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
        table = self._id_of_code_point
        ids = table[np.minimum(_code_points(text), len(table) - 1)]
        if np.any(ids < 0):
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
        return _code_points(self.vocabulary)[check_ids(ids, self.vocab_size)].tobytes()

    @functools.cached_property
    def _id_of_code_point(self) -> TokenIds:
        code_points = _code_points(self.vocabulary)
        # The entry past the last known code point stands for all that lie beyond it.
        table = np.full(int(code_points[-1]) + 2, -1, np.int32)
        table[code_points] = np.arange(self.vocab_size, dtype=np.int32)
        return table


@dataclass(frozen=True)
class ByteTokenizer:
    """Byte tokenizer: one id per byte of the text in UTF-8, so that every text can be encoded.

    Example:
        >>> ByteTokenizer().encode("é").tolist()
        [195, 169]
    """

    name: ClassVar[str] = "bytes"

    @classmethod
    def from_text(cls, text: str) -> "ByteTokenizer":
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
        return np.frombuffer(data, np.uint8).astype(np.int32)

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
        return check_ids(ids, self.vocab_size).astype(np.uint8).tobytes()


TOKENIZERS = {kind.name: kind for kind in (CharTokenizer, ByteTokenizer)}


def check_ids(ids: npt.ArrayLike, vocab_size: int) -> npt.NDArray[np.integer]:
    """Convert ids to an array, after checking that all are inside the vocabulary.

    JAX clamps an index that is out of range, so a wrong id would silently train the wrong row.

    Raises:
        RecipeError: An id outside the vocabulary, with its position.
        TypeError: Ids that are not integers.
    """
    ids = np.asarray(ids)
    if ids.size == 0:
        return ids.astype(np.int32)
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"ids must be integers, not {ids.dtype}.")
    outside = (ids < 0) | (ids >= vocab_size)
    if np.any(outside):
        place = int(np.argmax(outside))
        raise RecipeError(
            f"Token id {ids.flat[place]} at position {place} is outside the vocabulary, "
            f"0 to {vocab_size - 1}.",
            "Use the tokenizer and the model that belong together.",
        )
    return ids


def listed(characters: Iterable[str]) -> str:
    """Format the first ten characters in order, quoted, and the number of others.

    Example:
        >>> listed("ba")
        "'a', 'b'"
    """
    ordered = sorted(characters)
    more = len(ordered) - 10
    return ", ".join(map(repr, ordered[:10])) + (f" and {more} more" if more > 0 else "")


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
