"""Scoring: how probable a model finds given texts."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from blocks import Context
from recipes.errors import RecipeError
from recipes.generation.decoding import Memory
from recipes.generation.generate import memory_of, own_context, rounded
from recipes.generation.prompts import Prompts, check_vocabulary, pad_left


def log_likelihood(
    model: nn.Module,
    params: Any,
    prompt: Prompts,
    continuation: Prompts,
    *,
    source: Prompts | None = None,
    source_valid: npt.ArrayLike | None = None,
) -> np.ndarray:
    r"""Compute $\sum_t \log p(c_t \mid \mathrm{prompt}, c_{<t})$ of each continuation, in nats.

    Args:
        model: A `CausalLM` or an `EncoderDecoder`.
        params: Its parameters.
        prompt: Token ids given, rows of any lengths, of one id each at least.
        continuation: Token ids scored, a row for each row of `prompt`.
        source: What an encoder-decoder reads, as in `generate`.
        source_valid: Which tokens of an array of sources are real.

    Returns:
        Log-likelihoods, `[batch]`, float32.

    Raises:
        RecipeError: Rows that are empty, not token ids, past the vocabulary, longer than
            the model's learned positions, or not of one number.

    Example:
        ```python
        log_likelihood(model, params, [[1, 2]] * 2, [[3, 4], [5]])    # which one follows?
        ```
    """
    (given, given_real), (scored, scored_real) = (
        pad_left(prompt),
        pad_left(continuation, "continuation"),
    )
    if len(given) != len(scored):
        raise RecipeError(
            f"There are {len(given)} prompts and {len(scored)} continuations.",
            "Give a continuation for each prompt; repeat a prompt that has several.",
        )
    memory = memory_of(model, params, len(given), source, source_valid)
    rows = [
        np.concatenate([a[x], b[y]])
        for a, x, b, y in zip(given, given_real, scored, scored_real, strict=True)
    ]
    longest, limit = max(map(len, rows)), own_context(model)
    if limit is not None and longest > limit:
        raise RecipeError(
            f"The longest text has {longest} tokens, and the model {limit} positions.",
            "Shorten the prompts, or leave out their beginnings.",
        )
    length = rounded(longest, limit)
    ids = np.stack([np.pad(row, (0, length - len(row))) for row in rows])
    ends = np.array([[len(row)] for row in rows])
    starts = given_real.sum(axis=1, keepdims=True)
    places = np.arange(length)
    valid = places < ends
    _, logits = _score.eval_shape(model, params, ids, valid, valid, memory)
    check_vocabulary(given, logits.shape[-1])
    check_vocabulary(scored, logits.shape[-1], "continuation")
    counted = valid & (places >= starts)
    return np.asarray(_score(model, params, ids, valid, counted, memory)[0])


@functools.partial(jax.jit, static_argnames="model")
def _score(
    model: nn.Module,
    params: Any,
    ids: jax.Array,
    valid: jax.Array,
    counted: jax.Array,
    memory: Memory,
) -> tuple[jax.Array, jax.Array]:
    """Sum the log-probabilities of the tokens that count, each given those before it."""
    context = Context(valid=valid, memory=memory.states, memory_valid=memory.valid)
    logits = model.apply({"params": params}, ids, context=context)
    assert isinstance(logits, jax.Array)
    chosen = jnp.take_along_axis(
        jax.nn.log_softmax(logits[:, :-1].astype(jnp.float32)), ids[:, 1:, None], axis=-1
    )[..., 0]
    return jnp.where(counted[:, 1:], chosen, 0.0).sum(axis=1), jnp.zeros((0, logits.shape[-1]))
