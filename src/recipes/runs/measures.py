"""Losses in units that do not depend on the tokenizer."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from recipes.data import Tokenizer
    from recipes.data.encoded import EncodedText


class Measures(NamedTuple):
    r"""A loss in other units.

    Attributes:
        per_token: Perplexity per token, $e^{\mathrm{nats}}$, which depends on the tokenizer.
        per_word: Perplexity per word; words are what white space separates.
        bits_per_byte: Bits per byte of the text in UTF-8.
    """

    per_token: float
    per_word: float
    bits_per_byte: float


def measure(nats_per_token: float, text: EncodedText, tokenizer: Tokenizer) -> Measures:
    """Convert a loss to perplexities and bits per byte.

    Args:
        nats_per_token: Mean loss of all tokens but the first, which is not predicted.
        text: The text.
        tokenizer: The tokenizer that encoded it. Its special tokens are predicted, and are neither
            words nor bytes.
    """
    special = list(getattr(tokenizer, "special_ids", {}).values())
    words = size = 0
    for first, last in itertools.pairwise([*text.starts.tolist(), len(text)]):
        ids = np.asarray(text.ids[max(first, 1) : last])
        decoded = tokenizer.decode(ids[~np.isin(ids, special)])
        words += len(decoded.split())
        size += len(decoded.encode())
    nats = nats_per_token * (len(text) - 1)
    return Measures(
        per_token=_exp(nats_per_token),
        per_word=_exp(nats / max(words, 1)),
        bits_per_byte=nats / math.log(2.0) / max(size, 1),
    )


def _exp(nats: float) -> float:
    """The exponential, infinite where it is too large for a number."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf
