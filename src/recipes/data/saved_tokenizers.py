"""Tokenizers as JSON files, and comparison of two tokenizers."""

import dataclasses
from pathlib import Path
from typing import Any

from recipes.data.sealed import read_sealed, write_sealed
from recipes.data.tokenizers import TOKENIZERS, CharTokenizer, Tokenizer, listed
from recipes.errors import RecipeError

FORMAT = 1


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write a tokenizer: the version of the format, its kind, its fields."""
    write_sealed(path, content_of(tokenizer))


def content_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """What the file of a tokenizer holds, which tells two apart."""
    return {"format": FORMAT, "kind": tokenizer.name, **dataclasses.asdict(tokenizer)}


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer that `save_tokenizer` wrote.

    Raises:
        RecipeError: The file is missing, damaged, of another format or of an unknown kind.
    """
    fix = "Restore it from a copy of the run that wrote it."
    content = read_sealed(path)
    try:
        match content:
            case {"format": int(version)} if version != FORMAT:
                raise RecipeError(
                    f"The tokenizer {str(path)!r} has format {version}, not {FORMAT}.",
                    "Use the version of linen-blocks that wrote it.",
                )
            case {"format": int(), "kind": str(kind), **fields} if kind in TOKENIZERS:
                return TOKENIZERS[kind](**fields)
            case {"format": int(), "kind": "published", **fields}:
                from recipes.weights.tokenizer import PublishedTokenizer

                return PublishedTokenizer(**fields)
            case {"format": int(), "kind": kind}:
                raise RecipeError(f"The tokenizer {str(path)!r} is of unknown kind {kind!r}.", fix)
            case _:
                raise ValueError("its format or kind is missing")
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        reason = str(error).rstrip(".")
        raise RecipeError(f"The tokenizer {str(path)!r} is damaged: {reason}.", fix) from error


def check_same_tokenizer(trained: Tokenizer, given: Tokenizer) -> None:
    """Refuse a tokenizer other than the one a model was trained with.

    Raises:
        RecipeError: The tokenizers differ; names the kinds or characters.
    """
    if trained == given:
        return
    fix = "Use the corpus and the tokenizer of the run, or start a new run."
    if isinstance(trained, CharTokenizer) and isinstance(given, CharTokenizer):
        known, new = set(trained.vocabulary), set(given.vocabulary)
        parts = [f"lacks {listed(new - known)}"] if new - known else []
        parts += [f"alone has {listed(known - new)}"] if known - new else []
        raise RecipeError(f"The vocabulary of the run {' and '.join(parts)}.", fix)
    if trained.name == given.name:
        raise RecipeError(
            f"The run was trained with another tokenizer of the kind {trained.name!r}, of "
            f"{trained.vocab_size} tokens; this one has {given.vocab_size}.",
            fix,
        )
    raise RecipeError(
        f"The run was trained with the tokenizer {trained.name!r}, not {given.name!r}.", fix
    )
