"""Text generation: tokens drawn one by one from a model with a cache."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from blocks import Context
from recipes.data import Tokenizer
from recipes.errors import RecipeError
from recipes.generation.sampling import Sampling
from recipes.generation.tokens import sample_token

Cache = Mapping[str, Any]

# Tokens per call into the compiled loop: enough to hide the call, few enough to read along.
CHUNK = 16


def generate(
    model: nn.Module,
    params: Any,
    prompt: npt.ArrayLike,
    *,
    tokens: int,
    context: int,
    key: jax.Array,
    sampling: Sampling = Sampling(),
) -> Iterator[np.ndarray]:
    """Continue a batch of prompts; yield the new token ids a few columns at a time.

    Up to the context every token is drawn given all tokens before it. When the cache is full, the
    last half of the context is read again and drawing continues from there. So the time per token
    does not grow with the position, and a token past the context is drawn given at least half of
    the context before it. A prompt longer than the context is cut to its end.

    The i-th token is drawn with the key folded with i, however tokens are grouped into calls.

    Args:
        model: A `CausalLM`, or another module that is called as one and keeps a cache.
        params: Its parameters.
        prompt: Token ids, `[batch, seq]`, one at least.
        tokens: Number of tokens to draw for each row.
        context: Maximum sequence length of the model.
        key: Random key; the same key draws the same tokens.
        sampling: Temperature and truncation of the distribution.

    References:
        Xiao et al., Efficient Streaming Language Models with Attention Sinks, 2023,
        arXiv:2309.17453, section 3.1, compares ways past the context; this is re-computation, done
        once per half context.
    """
    seen = np.asarray(prompt, np.int32)
    half = max(1, context // 2)
    # Prompts are padded to one of two lengths, and the cache has room for the padding: every
    # prompt uses the same compiled functions.
    size = context + half
    cache: Cache = {}
    drawn = room = 0
    while drawn < tokens:
        if room == 0:
            window = seen[:, -context:] if drawn == 0 else seen[:, -half - 1 :]
            # All but the last token, which the first draw reads.
            read = window.shape[1] - 1
            padded = half if read <= half else context - 1
            valid = np.broadcast_to(np.arange(padded) >= padded - read, (len(seen), padded))
            text = np.pad(window[:, :-1], ((0, 0), (padded - read, 0)))
            cache = _read(model, params, text, valid, size=size)
            room = context - read
        count = min(CHUNK, room, tokens - drawn)
        chunk, cache = _draw(
            model, params, cache, seen[:, -1], key, drawn, count, size=size, sampling=sampling
        )
        chunk = np.asarray(chunk)[:, :count]
        drawn += count
        room -= count
        seen = np.concatenate([seen, chunk], axis=1)[:, -context:]
        yield chunk


def write(
    model: nn.Module,
    params: Any,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    tokens: int,
    context: int,
    key: jax.Array,
    sampling: Sampling = Sampling(),
) -> Iterator[str]:
    """Continue a text; yield the prompt and then the continuation, as it is drawn.

    The arguments are those of `generate`, but for text instead of token ids.

    Raises:
        RecipeError: The prompt is empty or has characters that the tokenizer lacks.
    """
    ids = tokenizer.encode(prompt)
    if len(ids) == 0:
        raise RecipeError("The prompt is empty.", "Give a text to continue.")
    yield prompt
    stream = tokenizer.stream()
    options = {"tokens": tokens, "context": context, "key": key, "sampling": sampling}
    for chunk in generate(model, params, ids[None], **options):
        yield stream.push(chunk[0])
    yield stream.flush()


@functools.partial(jax.jit, static_argnames=("model", "size"))
def _read(
    model: nn.Module, params: Any, tokens: jax.Array, valid: jax.Array, *, size: int
) -> Cache:
    """Fill the cache with a text, which is padded where it is not valid."""
    shared = Context(valid=valid, cache_size=size)
    return model.apply({"params": params}, tokens, shared, mutable=["cache"])[1]


@functools.partial(jax.jit, static_argnames=("model", "size", "sampling"), donate_argnames="cache")
def _draw(
    model: nn.Module,
    params: Any,
    cache: Cache,
    token: jax.Array,
    key: jax.Array,
    index: jax.Array,
    count: jax.Array,
    *,
    size: int,
    sampling: Sampling,
) -> tuple[jax.Array, Cache]:
    """Draw `count` tokens after `token`, at most `CHUNK`, in one compiled loop for every count."""

    def step(i: jax.Array, carry: tuple[Cache, jax.Array, jax.Array]) -> tuple:
        cache, token, drawn = carry
        logits, cache = model.apply(
            {"params": params, **cache}, token[:, None], Context(cache_size=size), mutable=["cache"]
        )
        token = sample_token(jax.random.fold_in(key, index + i), logits[:, -1], sampling)
        return cache, token, drawn.at[:, i].set(token)

    drawn = jnp.zeros((token.shape[0], CHUNK), token.dtype)
    cache, _, drawn = jax.lax.fori_loop(0, count, step, (cache, token, drawn))
    return drawn, cache
