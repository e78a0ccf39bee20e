"""Byte-pair tokenizers: trained on a text, or read from a `tokenizer.json`.

References:
    Sennrich et al., Neural Machine Translation of Rare Words with Subword Units, 2016,
    arXiv:1508.07909; over bytes, as in Radford et al., 2019 (GPT-2).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.errors import RecipeError

if TYPE_CHECKING:
    from recipes.weights.tokenizer import PublishedTokenizer

# GPT-2's token between documents.
END = "<|endoftext|>"
# Every byte, and the end of a text.
SMALLEST = 257
# Pairs that occur once are not worth a token.
_MIN_COUNT = 2


def train_byte_pairs(texts: Iterable[str], vocab_size: int) -> PublishedTokenizer:
    """Train a tokenizer that joins the most frequent pairs of tokens, starting from bytes.

    Every text can be encoded. Texts are split into words as GPT-2 does, and the same texts give
    the same tokenizer.

    Args:
        texts: The texts, one after the other.
        vocab_size: Number of token ids; a small text may not have pairs for all of them.

    Raises:
        RecipeError: `tokenizers` is not installed.
    """
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise RecipeError(
            "Byte pairs need the package tokenizers, which is not installed.",
            'Run pip install "linen-blocks[hf]", or use --tokenizer bytes.',
        ) from error
    from recipes.weights.tokenizer import PublishedTokenizer

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_COUNT,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PublishedTokenizer(tokenizer.to_str(), json.dumps({"eos_token": END}))


def read_tokenizer(path: str) -> PublishedTokenizer:
    """Read a `tokenizer.json`, and the settings beside it, from its path or its folder.

    Raises:
        RecipeError: A missing or damaged file, or `tokenizers` is not installed.
    """
    from recipes.weights.tokenizer import TOKENIZER, tokenizer_of

    place = Path(path).expanduser()
    folder, name = (place, TOKENIZER) if place.is_dir() else (place.parent, place.name)
    found = tokenizer_of(folder, name)
    if found is None:
        raise RecipeError(
            f"The tokenizer {path!r} does not exist.",
            f"Give the path of a {TOKENIZER}, or use characters, bytes or bpe:4096.",
        )
    return found
