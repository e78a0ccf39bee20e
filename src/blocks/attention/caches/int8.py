"""A cache of keys and values in eight bits, for long texts in little memory."""

from collections.abc import Mapping
from typing import Any

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


class Int8Cache(KeyValueCache):
    r"""Keeps every key and value as integers of eight bits with a step of its own.

    A vector of $d$ features takes $d + 4$ bytes instead of $4 d$ in float32. Each entry is wrong by
    at most half a step, $\max |x| / 254$, so results are close to the uncached ones, not equal.

    Attributes:
        keys: as in `KeyValueCache`, but integers.
        values: likewise.
        key_steps: what one stands for in each key.
        value_steps: what one stands for in each value.

    Example:
        ```python
        >>> from blocks import Causal, Int8Cache, MultiHeadAttention
        >>> MultiHeadAttention(num_heads=4, mask=Causal(), cache=Int8Cache).cache.__name__
        'Int8Cache'

        ```

    References:
        Dettmers et al., LLM.int8(), 2022, arXiv:2208.07339, section 2 (absmax, vector by vector).
    """

    keys: Int[Array, "batch size kv_heads head_dim"]
    values: Int[Array, "batch size kv_heads value_dim"]
    key_steps: Float[Array, "batch size kv_heads"]
    value_steps: Float[Array, "batch size kv_heads"]

    @classmethod
    def _free(
        cls,
        batch: int,
        size: int,
        kv_heads: int,
        head_dim: int,
        value_dim: int,
        dtype: Dtype,
        lookback: int | None,
    ) -> dict[str, Any]:
        steps = jnp.zeros((batch, size, kv_heads), jnp.float32)
        plain = super()._free(batch, size, kv_heads, head_dim, value_dim, jnp.int8, lookback)
        return {**plain, "key_steps": steps, "value_steps": steps}

    def _packed(self, key: Array, value: Array) -> dict[str, Array]:
        keys, key_steps = quantise(key)
        values, value_steps = quantise(value)  # of NaN, the step is NaN
        return {
            "keys": keys,
            "values": values,
            "key_steps": key_steps,
            "value_steps": value_steps,
        }

    def _unpacked(self, kept: Mapping[str, Any], dtype: Dtype) -> tuple[Array, Array]:
        return (
            dequantise(kept["keys"], kept["key_steps"], dtype),
            dequantise(kept["values"], kept["value_steps"], dtype),
        )
