"""A cache of keys and values in eight bits, for long texts in little memory."""

import flax.struct
import jax.numpy as jnp

from blocks.attention.caches.contiguous import KeyValueCache
from blocks.core.typing import Array, Dtype, Float, Int, typed


@typed
def quantise(
    x: Float[Array, "*shape features"],
) -> tuple[Int[Array, "*shape features"], Float[Array, "*shape"]]:
    r"""Integers $\mathrm{round}(x / s)$ from -127 to 127, and the step $s = \max |x| / 127$."""
    x = x.astype(jnp.float32)
    step = jnp.abs(x).max(axis=-1) / 127.0
    # Where all features are zero any step will do, but zero.
    divisor = jnp.where(step == 0.0, 1.0, step)[..., None]
    return jnp.round(x / divisor).astype(jnp.int8), step


@typed
def dequantise(
    x: Int[Array, "*shape features"], step: Float[Array, "*shape"], dtype: Dtype
) -> Float[Array, "*shape features"]:
    r"""The numbers $x s$, each within half a step of what it was."""
    return (x.astype(jnp.float32) * step[..., None]).astype(dtype)


class Int8Array(flax.struct.PyTreeNode):
    """Vectors as integers of eight bits, each with a step of its own.

    Attributes:
        integers: from -127 to 127.
        steps: what one stands for in each vector.
    """

    integers: Int[Array, "batch slots kv_heads features"]
    steps: Float[Array, "batch slots kv_heads"]


class Int8Cache(KeyValueCache):
    r"""Keeps every key and value as integers of eight bits with a step of its own.

    A vector of $d$ features takes $d + 4$ bytes instead of $4 d$ in float32. Each entry is wrong by
    at most half a step, $\max |x| / 254$, so results are close to the uncached ones, not equal.

    Example:
        ```python
        >>> from blocks import Causal, Int8Cache, MultiHeadAttention
        >>> long = MultiHeadAttention(num_heads=4, mask=Causal(), cache=Int8Cache())

        ```

    References:
        Dettmers et al., LLM.int8(), 2022, arXiv:2208.07339, section 2 (absmax, vector by vector).
    """

    def pack(self, x: Array) -> Int8Array:
        """Integers and steps; of a vector with NaN, the step is NaN."""
        return Int8Array(*quantise(x))

    def unpack(self, kept: Int8Array, dtype: Dtype) -> Array:
        """The numbers that integers and steps stand for."""
        return dequantise(kept.integers, kept.steps, dtype)
