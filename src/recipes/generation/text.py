"""Generation of text: drawn tokens decoded as they come, up to a stop string."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax

from recipes.data import Tokenizer
from recipes.errors import RecipeError
from recipes.generation.generate import generate
from recipes.generation.sampling import Sampling


def write(
    model: nn.Module,
    params: Any,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    tokens: int,
    context: int | None = None,
    key: jax.Array | None = None,
    sampling: Sampling = Sampling(),
    end: Sequence[int] = (),
    stop: Sequence[str] = (),
) -> Iterator[str]:
    """Continue a text; yield the prompt and then the continuation, as it is drawn.

    The arguments are those of `generate`, but for text instead of token ids. The continuation ends
    before the first of the `stop` strings, which is not part of it.

    Raises:
        RecipeError: The prompt is empty or has characters that the tokenizer lacks, or a stop
            string is empty.
    """
    if isinstance(stop, str) or not all(isinstance(text, str) and text for text in stop):
        raise RecipeError(
            f"stop={stop!r} must be a list of texts that are not empty.", 'Write stop=["\\n\\n"].'
        )
    ids = tokenizer.encode(prompt)
    if len(ids) == 0:
        raise RecipeError("The prompt is empty.", "Give a text to continue.")
    options = {"tokens": tokens, "context": context, "key": key, "sampling": sampling, "end": end}
    chunks = generate(model, params, ids[None], **options)
    return _write(prompt, before_stop(_decoded(tokenizer, chunks, end), stop))


def _write(prompt: str, pieces: Iterable[str]) -> Iterator[str]:
    yield prompt
    yield from pieces


def _decoded(tokenizer: Tokenizer, chunks: Iterable[Any], end: Sequence[int]) -> Iterator[str]:
    """Text of the first row of chunks, without its end token."""
    stream = tokenizer.stream()
    for chunk in chunks:
        row = [int(token) for token in chunk[0]]
        ends = [row.index(token) for token in end if token in row]
        yield stream.push(row[: min(ends, default=len(row))])
    yield stream.flush()


def before_stop(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """Yield a text up to the first of the stop strings, as its pieces arrive.

    What may be the beginning of a stop string is held back until the next piece tells.

    Example:
        >>> list(before_stop(["one", ", t", "wo.", " three"], ["two"]))
        ['one', ', ']
    """
    held = ""
    for piece in pieces:
        held += piece
        places = [held.find(text) for text in stop if text in held]
        if places:
            if found := held[: min(places)]:
                yield found
            return
        keep = max((_overlap(held, text) for text in stop), default=0)
        ready, held = held[: len(held) - keep], held[len(held) - keep :]
        if ready:
            yield ready
    if held:
        yield held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of a text that is a beginning of a stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
