"""A corpus as token ids to train on and to validate on."""

from collections.abc import Callable

from recipes.data.batches import split_tokens, too_few
from recipes.data.corpus import Corpus
from recipes.data.encoded import EncodedText
from recipes.data.token_cache import encoded
from recipes.data.tokenizers import Tokenizer


def split_corpus(
    corpus: Corpus, tokenizer: Tokenizer, context: int, say: Callable[[str], object] = print
) -> tuple[EncodedText, EncodedText]:
    """Encode a corpus, and split it unless it has a text to validate on.

    Args:
        corpus: The text.
        tokenizer: The tokenizer.
        context: Tokens in a window.
        say: Called with a line of text where something takes long or was damaged.

    Raises:
        RecipeError: Characters that the vocabulary lacks, or a split too short for one window.
    """
    tokens = encoded(corpus, tokenizer, say=say)
    if corpus.validation is None:
        return split_tokens(tokens, context)
    held_out = encoded(corpus.validation, tokenizer, say=say)
    for part in (tokens, held_out):
        if len(part) <= context:
            raise too_few(len(part), context + 1)
    return tokens, held_out
