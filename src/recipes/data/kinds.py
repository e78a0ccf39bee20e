"""What `--tokenizer` names: characters, bytes, byte pairs, a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from recipes.data.byte_pairs import SMALLEST, read_tokenizer, train_byte_pairs
from recipes.data.corpus import Corpus
from recipes.data.tokenizers import TOKENIZERS, CharTokenizer, Tokenizer
from recipes.errors import RecipeError, nearest_of

BYTE_PAIRS = "bpe"
KINDS = (*TOKENIZERS, f"{BYTE_PAIRS}:4096")


def build_tokenizer(kind: str, text: str | Corpus) -> Tokenizer:
    """Build the tokenizer of a kind for a training text.

    Args:
        kind: `characters`, `bytes`, `bpe:SIZE` for byte pairs trained on the text, or the path of
            a `tokenizer.json`.
        text: The text, which need not fit into memory where it is a corpus.

    Raises:
        RecipeError: An unknown kind, of which the nearest is named, or a damaged file.

    Example:
        >>> build_tokenizer("bytes", "text").vocab_size
        256
    """
    check_kind(kind)
    texts = [text] if isinstance(text, str) else (piece.text for piece in text.pieces())
    if is_path(kind):
        return read_tokenizer(kind)
    if kind.startswith(BYTE_PAIRS):
        return train_byte_pairs(texts, _size(kind))
    if kind == CharTokenizer.name:
        return CharTokenizer.from_text("".join(_characters(text, texts)))
    return TOKENIZERS[kind].from_text("")


def check_kind(kind: str) -> None:
    """Refuse what is not a kind of tokenizer, before a large text is read.

    Raises:
        RecipeError: An unknown kind, a vocabulary too small for all bytes, or a missing file.
    """
    if kind in TOKENIZERS:
        return
    if kind.partition(":")[0] == BYTE_PAIRS:
        if _size(kind) < SMALLEST:
            raise RecipeError(
                f"--tokenizer {kind} must have {SMALLEST} tokens or more: every byte, and the end "
                "of a text.",
                "Use bpe:4096 for a small text, bpe:32000 or bpe:50257 for a large one.",
            )
    elif not is_path(kind):
        raise RecipeError(
            f"{kind!r} is not a tokenizer.",
            f"Use {nearest_of(kind, KINDS)}, or the path of a tokenizer.json.",
        )
    elif not Path(kind).expanduser().exists():
        raise RecipeError(
            f"The tokenizer {kind!r} does not exist.",
            "Give the path of a tokenizer.json, or use characters, bytes or bpe:4096.",
        )


def is_path(kind: str) -> bool:
    """Return whether a kind is the path of a file: it has a folder or a suffix."""
    return Path(kind).name != kind or bool(Path(kind).suffix) or Path(kind).expanduser().exists()


def _size(kind: str) -> int:
    digits = kind.partition(":")[2]
    if not digits.isdecimal():
        raise RecipeError(
            f"--tokenizer {kind} does not say how many tokens to make.", "Write bpe:4096."
        )
    return int(digits)


def _characters(text: str | Corpus, texts: Iterable[str]) -> set[str]:
    """All characters of a text; a line break stands between its documents."""
    found = set().union(*map(set, texts))
    return found | {"\n"} if isinstance(text, Corpus) and text.documents > 1 else found
