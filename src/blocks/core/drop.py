"""Dropout: random entries of an array set to zero."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Bool, Float, Key, typed


@typed
def dropout(
    x: Float[Array, "*shape"], rate: float, key: Key[Array, ""] | None
) -> Float[Array, "*shape"]:
    """Drop entries with probability `rate`, and scale the rest to keep the mean."""
    if rate == 0.0 or key is None:
        return x
    return jnp.where(kept(key, rate, x.shape), x / (1.0 - rate), 0.0).astype(x.dtype)


def kept(key: Key[Array, ""], rate: float, shape: tuple[int, ...]) -> Bool[Array, "*shape"]:
    """Draw which entries to keep, each with probability `1 - rate`.

    The index of an entry is hashed with two words drawn from the key, in integer operations that
    XLA fuses into the use of the result: drawing from the key itself takes far longer, most of a
    training step on a CPU.

    References:
        Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011 (numbers from a counter).
        Wellons, Prospecting for Hash Functions, 2018 (`lowbias32`, the mixing that is used).
    """
    first, second = jax.random.bits(key, (2,), jnp.uint32)
    # The last axis apart: the number of entries may exceed 32 bits.
    rows = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape) - 1):
        rows = rows * jnp.uint32(shape[axis]) + jax.lax.broadcasted_iota(jnp.uint32, shape, axis)
    last = jax.lax.broadcasted_iota(jnp.uint32, shape, len(shape) - 1) if shape else rows
    drawn = _mixed(_mixed(rows ^ first) + last * jnp.uint32(0x9E3779B1) ^ second)
    return drawn < jnp.uint32(min(round((1.0 - rate) * 2**32), 2**32 - 1))


def _mixed(x: Array) -> Array:
    """Mix the bits of whole numbers of 32 bits so that each depends on all."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def drop(module: nn.Module, x: Array, rate: float, deterministic: bool) -> Array:
    """Apply dropout with a key of the module's stream `dropout`; nothing if deterministic."""
    if deterministic or rate == 0.0:
        return x
    return dropout(x, rate, module.make_rng("dropout"))
