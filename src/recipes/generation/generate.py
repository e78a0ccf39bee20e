"""Generation of token ids: drawn one by one from a model with a cache."""

import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from blocks import LearnedPositions, find
from recipes.errors import RecipeError
from recipes.generation.decoding import Cache, Memory, encode, next_logits, read
from recipes.generation.prompts import (
    Prompts,
    check_count,
    check_key,
    check_vocabulary,
    pad_left,
)
from recipes.generation.sampling import Sampling
from recipes.generation.tokens import sample_token

# Tokens per call into the compiled loop, first and at most: there are twice as many in the next one
# where a call took less than SOON seconds, which is few enough to read along.
CHUNK, LONGEST = 16, 128
SOON = 0.05
# Lengths are rounded up to multiples of this, or its doubles, to share compiled functions.
ROUND = 64


def generate(
    model: nn.Module,
    params: Any,
    prompt: Prompts,
    *,
    tokens: int,
    context: int | None = None,
    key: jax.Array | None = None,
    sampling: Sampling = Sampling(),
    end: Sequence[int] = (),
    source: Prompts | None = None,
    source_valid: npt.ArrayLike | None = None,
) -> Iterator[np.ndarray]:
    """Continue a batch of prompts; yield the new token ids a few columns at a time.

    Up to the context every token is drawn given all tokens before it. When the cache is full, the
    last half of the context is read again and drawing continues from there. So the time per token
    does not grow with the position, and a token past the context is drawn given at least half of
    the context before it. A prompt longer than the context is cut to its end. Of prompts of
    different lengths, the longest decides when the cache is full.

    The i-th token is drawn with the key folded with i, however tokens are grouped into calls.

    Args:
        model: A `CausalLM`, an `EncoderDecoder`, or another module that is called as one of them
            and keeps a cache.
        params: Its parameters.
        prompt: Token ids, `[batch, seq]`, or rows of any lengths; one id each at least.
        tokens: Number of tokens to draw for each row.
        context: Maximum sequence length of the model; None takes that of its learned positions,
            and room for prompt and tokens where it has none.
        key: Random key; the same key draws the same tokens. Not needed with temperature 0.
        sampling: Temperature and truncation of the distribution.
        end: Token ids that end a row, which repeats the first of them from there on. Drawing stops
            when all rows have ended.
        source: What an encoder-decoder reads: rows of token ids of any lengths, or an array that
            its encoder takes, such as sound or pixels.
        source_valid: Which tokens of an array are real, `[batch, source_seq]`; None for all.

    Raises:
        RecipeError: An argument of the wrong kind, a size below 1, a token id past the vocabulary.

    References:
        Xiao et al., Efficient Streaming Language Models with Attention Sinks, 2023,
        arXiv:2309.17453, section 3.1, compares ways past the context; this is re-computation, done
        once per half context.
    """
    ids, real = pad_left(prompt)
    check_count(tokens=tokens, **({} if context is None else {"context": context}))
    if sampling.temperature == 0.0 and key is None:
        key = jax.random.key(0)
    check_key(key)
    memory = memory_of(model, params, len(ids), source, source_valid)
    context = own_context(model) if context is None else context
    return _generate(model, params, ids, real, tokens, context, key, sampling, tuple(end), memory)


def own_context(model: nn.Module) -> int | None:
    """Return the number of positions that a decoder has learned; None if it has no such limit."""
    tables = find(getattr(model, "decoder", model), LearnedPositions).values()
    return min((table.max_length for table in tables), default=None)


def memory_of(
    model: nn.Module,
    params: Any,
    batch: int,
    source: Prompts | None,
    valid: npt.ArrayLike | None = None,
) -> Memory:
    """Compute the memory of a source, if there is one.

    Raises:
        RecipeError: A source without an encoder, an encoder without a source, another batch size.
    """
    takes = hasattr(model, "encode")
    if takes != (source is not None):
        kind = type(model).__name__
        raise RecipeError(
            f"{kind} reads a source, and none is given."
            if takes
            else f"A source is given, and {kind} has no encoder to read it.",
            "Give source=..., what the encoder reads." if takes else "Leave source out.",
        )
    if source is None:
        return Memory()
    if not (hasattr(source, "dtype") and np.asarray(source).ndim > 1):
        source, valid = pad_left(source, "source")
    if len(source) != batch:  # pyright: ignore[reportArgumentType]
        raise RecipeError(
            f"There are {batch} prompts and {len(source)} sources.",  # pyright: ignore[reportArgumentType]
            "Give a prompt for each source, such as its first token alone.",
        )
    valid = None if valid is None else jnp.asarray(valid)
    states = encode(model, params, jnp.asarray(source), valid)
    # Convolutions may have shortened the source: its padding is then none of the memory's tokens.
    return Memory(states, valid if valid is None or valid.shape == states.shape[:2] else None)


def _generate(
    model: nn.Module,
    params: Any,
    ids: np.ndarray,
    real: np.ndarray,
    tokens: int,
    context: int | None,
    key: jax.Array | None,
    sampling: Sampling,
    end: tuple[int, ...],
    memory: Memory,
) -> Iterator[np.ndarray]:
    half = max(1, (context or 0) // 2)
    done = np.zeros(len(ids), bool)
    cache: Cache = {}
    present = None
    drawn = room = size = 0
    longest = CHUNK
    while drawn < tokens and not done.all():
        if room == 0:
            kept = (
                slice(None)
                if context is None
                else slice(-(context if not drawn else half + 1), None)
            )
            # All but the last token, which the first draw reads.
            text, valid = ids[:, kept][:, :-1], real[:, kept][:, :-1]
            length = text.shape[1]
            padded, room, size = lengths(length, tokens - drawn, context, size)
            padding = ((0, 0), (padded - length, 0))
            text, valid = np.pad(text, padding), np.pad(valid, padding)
            if drawn == 0:
                shapes = read.eval_shape(model, params, text, valid, memory, size=size)
                vocab_size = shapes[1].shape[-1]
                check_vocabulary(ids, vocab_size)
                check_vocabulary(np.array([end], np.int64).reshape(1, -1), vocab_size, "end")
                if sampling.repetition_penalty != 1.0:
                    present = _present(ids, real, vocab_size)
            cache, _ = read(model, params, text, valid, memory, size=size)
        count = min(longest, room, tokens - drawn)
        started = time.perf_counter()
        chunk, steps, done, present, cache = _draw(
            model, params, cache, ids[:, -1], key, drawn, count, done, present,
            size=size, sampling=sampling, end=end,
        )  # fmt: skip
        chunk, done = np.asarray(chunk)[:, : int(steps)], np.asarray(done)
        if time.perf_counter() - started < SOON:
            longest = min(2 * longest, LONGEST)
        drawn += chunk.shape[1]
        room -= chunk.shape[1]
        ids = np.concatenate([ids, chunk], axis=1)
        real = np.pad(real, ((0, 0), (0, chunk.shape[1])), constant_values=True)
        if context is not None:
            ids, real = ids[:, -context:], real[:, -context:]
        yield chunk


def lengths(length: int, tokens: int, context: int | None, size: int) -> tuple[int, int, int]:
    """Choose lengths that few programs serve.

    Args:
        length: Tokens to read.
        tokens: Tokens to draw after them.
        context: Maximum sequence length; None for no limit.
        size: Slots of the cache so far; 0 for no cache.

    Returns:
        The length that the text is padded to, the number of tokens that can be drawn until the
        cache is full, and its slots.
    """
    if context is None:
        padded = rounded(length)
        return padded, tokens, padded + rounded(tokens)
    half = max(1, context // 2)
    # A text that fills the context is read at most once, before the first token.
    padded = min(doubled(length), half if length <= half else context - 1)
    room = context - length
    # Where the cache gets full, half of the context is read, and half of it drawn.
    slots = padded + tokens if tokens <= room else max(padded + room, context)
    return padded, room, max(size, min(doubled(slots), context + half))


def doubled(length: int) -> int:
    """Round a length up, to a power of two from `ROUND` on."""
    return max(ROUND, 1 << max(0, length - 1).bit_length())


def rounded(length: int, limit: int | None = None) -> int:
    """Round a length up, to a multiple or the limit, so that few lengths are compiled."""
    up = max(1, -(-length // ROUND)) * ROUND
    return up if limit is None else min(up, limit)


def _present(ids: np.ndarray, real: np.ndarray, vocab_size: int) -> np.ndarray:
    """Which tokens each row has, `[batch, vocab]`."""
    present = np.zeros((len(ids), vocab_size), bool)
    rows = np.broadcast_to(np.arange(len(ids))[:, None], ids.shape)
    present[rows[real], ids[real]] = True
    return present


@functools.partial(
    jax.jit, static_argnames=("model", "size", "sampling", "end"), donate_argnames="cache"
)
def _draw(
    model: nn.Module,
    params: Any,
    cache: Cache,
    token: jax.Array,
    key: jax.Array,
    index: jax.Array,
    count: jax.Array,
    done: jax.Array,
    present: jax.Array | None,
    *,
    size: int,
    sampling: Sampling,
    end: tuple[int, ...],
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None, Cache]:
    """Draw up to `count` tokens after `token`, at most `LONGEST`, in one loop for every count."""

    def unfinished(state: tuple) -> jax.Array:
        step, _, done, *_ = state
        return (step < count) & ~jnp.all(done)

    def draw(state: tuple) -> tuple:
        step, token, done, present, drawn, cache = state
        logits, cache = next_logits(model, params, cache, token, size)
        token = sample_token(jax.random.fold_in(key, index + step), logits, sampling, present)
        if end:
            token = jnp.where(done, end[0], token)
            done = done | jnp.isin(token, jnp.array(end))
        if present is not None:
            present = present.at[jnp.arange(len(token)), token].set(True)
        return step + 1, token, done, present, drawn.at[:, step].set(token), cache

    drawn = jnp.zeros((token.shape[0], LONGEST), token.dtype)
    start = (jnp.zeros((), jnp.int32), token, done, present, drawn, cache)
    steps, _, done, present, drawn, cache = jax.lax.while_loop(unfinished, draw, start)
    return drawn, steps, done, present, cache
