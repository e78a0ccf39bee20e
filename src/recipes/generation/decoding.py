"""Compiled steps of a model that keeps a cache: read a text, then one token after another."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks import Context

Cache = Mapping[str, Any]


class Memory(NamedTuple):
    """Encoder output that a decoder reads; both fields are None for a decoder alone.

    Attributes:
        states: Output of the encoder, `[batch, memory_seq, memory_embed]`.
        valid: Which of its tokens are real, `[batch, memory_seq]`.
    """

    states: jax.Array | None = None
    valid: jax.Array | None = None


@functools.partial(jax.jit, static_argnames="model")
def encode(model: nn.Module, params: Any, source: jax.Array, valid: jax.Array | None) -> jax.Array:
    """Run the encoder on the source."""
    context = Context(memory_valid=valid)
    return model.apply({"params": params}, source, context, method="encode")  # pyright: ignore[reportReturnType]


@functools.partial(jax.jit, static_argnames=("model", "size"))
def read(
    model: nn.Module,
    params: Any,
    tokens: jax.Array,
    valid: jax.Array,
    memory: Memory = Memory(),
    *,
    size: int,
) -> tuple[Cache, jax.Array]:
    """Fill the cache with a text, which is padded where it is not valid.

    Returns:
        The cache, and an empty array with the vocabulary as its last axis: its shape is known, by
        `eval_shape`, before anything is computed.
    """
    shared = Context(valid=valid, cache_size=size, memory=memory.states, memory_valid=memory.valid)
    logits, cache = model.apply({"params": params}, tokens, context=shared, mutable=["cache"])
    return cache, jnp.zeros((0, logits.shape[-1]))


def next_logits(
    model: nn.Module, params: Any, cache: Cache, token: jax.Array, size: int
) -> tuple[jax.Array, Cache]:
    """Compute the logits of the token after `token`, `[batch, vocab]`, and the cache with it."""
    logits, cache = model.apply(
        {"params": params, **cache},
        token[:, None],
        context=Context(cache_size=size),
        mutable=["cache"],
    )
    return logits[:, -1], cache
