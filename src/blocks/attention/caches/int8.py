"""`Int8Cache`: keys and values quantised to eight bits, for long texts in little memory."""

import flax.struct
import jax.numpy as jnp

from blocks.attention.caches.contiguous import KeyValueCache
from blocks.core.typing import Array, Dtype, Float, Int, typed


@typed
def quantise(
    x: Float[Array, "*shape features"],
) -> tuple[Int[Array, "*shape features"], Float[Array, "*shape"]]:
    r"""Quantise to $\mathrm{round}(x / s)$ from -127 to 127, with the step $s = \max |x| / 127$."""
    x = x.astype(jnp.float32)
    step = jnp.abs(x).max(axis=-1) / 127.0
    # Where all features are zero, any step but zero will do.
    divisor = jnp.where(step == 0.0, 1.0, step)[..., None]
    return jnp.round(x / divisor).astype(jnp.int8), step


@typed
def dequantise(
    x: Int[Array, "*shape features"], step: Float[Array, "*shape"], dtype: Dtype
) -> Float[Array, "*shape features"]:
    r"""Dequantise to $x s$, within half a step of the original."""
    return (x.astype(jnp.float32) * step[..., None]).astype(dtype)


class Int8Array(flax.struct.PyTreeNode):
    """Vectors quantised to eight bits, each with its own step.

    Attributes:
        integers: from -127 to 127.
        steps: quantisation step of each vector.
    """

    integers: Int[Array, "batch slots kv_heads features"]
    steps: Float[Array, "batch slots kv_heads"]


class Int8Cache(KeyValueCache):
    r"""Cache of all keys and values, each vector quantised to eight bits with its own step.

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
        """Quantise each vector; the step of a vector with NaN is NaN."""
        return Int8Array(*quantise(x))

    def unpack(self, kept: Int8Array, dtype: Dtype) -> Array:
        """Dequantise each vector."""
        return dequantise(kept.integers, kept.steps, dtype)
