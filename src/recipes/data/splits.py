"""A corpus as token ids to train on and to validate on."""

import itertools
from collections.abc import Callable

import numpy as np

from recipes.data.batches import split_at, split_tokens, too_few
from recipes.data.corpus import Corpus
from recipes.data.encoded import EncodedText, Mixture
from recipes.data.token_cache import encoded
from recipes.data.tokenizers import Tokenizer


def split_corpus(
    corpus: Corpus, tokenizer: Tokenizer, context: int, say: Callable[[str], object] = print
) -> tuple[EncodedText, EncodedText]:
    """Encode a corpus, and split it unless it has a text to validate on.

    Where its sources have weights, each is split by itself.

    Args:
        corpus: The text.
        tokenizer: The tokenizer.
        context: Tokens in a window.
        say: Called with a line of text where something takes long or was damaged.

    Raises:
        RecipeError: Characters that the vocabulary lacks, or a split too short for one window.
    """
    tokens = encoded(corpus, tokenizer, say=say)
    if corpus.weights:
        # Where the last document of a source ends, the first of the next one starts.
        inner = tokens.starts[list(corpus.ends[:-1])].tolist()
        sources = tuple(itertools.pairwise([0, *inner, len(tokens)]))
        if corpus.validation is None:
            return _split_sources(tokens, sources, corpus.weights, context)
        for first, last in sources:
            if last - first <= context:
                raise too_few(last - first, context + 1)
        tokens = Mixture(tokens.ids, tokens.starts, sources, corpus.weights)
    if corpus.validation is None:
        return split_tokens(tokens, context)
    held_out = encoded(corpus.validation, tokenizer, say=say)
    for part in (tokens, held_out):
        if len(part) <= context:
            raise too_few(len(part), context + 1)
    return tokens, held_out


def _split_sources(
    tokens: EncodedText,
    sources: tuple[tuple[int, int], ...],
    weights: tuple[float, ...],
    context: int,
) -> tuple[Mixture, Mixture]:
    """Split every source; a document that is cut starts there again."""
    cuts = [first + split_at(last - first, context) for first, last in sources]
    starts = np.union1d(tokens.starts, cuts)
    firsts, lasts = zip(*sources, strict=True)
    train, held_out = (
        Mixture(tokens.ids, starts, tuple(zip(*bounds, strict=True)), weights)
        for bounds in ((firsts, cuts), (cuts, lasts))
    )
    return train, held_out
