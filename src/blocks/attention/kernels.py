"""Attention kernels: pure functions behind one signature, without parameters.

A kernel takes a mask and score changes as rules and coordinates, not as finished arrays, so that
one that works chunk by chunk can evaluate them where it needs them.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from blocks.attention.masks import Mask, visible
from blocks.context import Coordinates
from blocks.typing import Array, Bool, Float, Key, typed

Scores: TypeAlias = Float[Array, "batch heads q_seq kv_seq"]
ScoreFunction: TypeAlias = Callable[[Array, Coordinates, Coordinates], Array]


@runtime_checkable
class Kernel(Protocol):
    """The signature of every kernel; `dot_product_attention` is the reference."""

    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        value: Float[Array, "batch kv_seq kv_heads value_dim"],
        query_at: Coordinates,
        key_at: Coordinates,
        *,
        mask: Mask | None = None,
        scale: float | None = None,
        changes: tuple[ScoreFunction, ...] = (),
        dropout_rate: float = 0.0,
        dropout_key: Key[Array, ""] | None = None,
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Attends from every query to the keys that it may see."""
        ...


@typed
def masked_softmax(
    scores: Float[Array, "*batch q_seq kv_seq"],
    seen: Bool[Array, "*#batch #q_seq kv_seq"] | None = None,
) -> Float[Array, "*batch q_seq kv_seq"]:
    """Softmax over the keys that are seen, in float32; a row that sees nothing gives zeros."""
    scores = scores.astype(jnp.float32)
    if seen is None:
        return jax.nn.softmax(scores, axis=-1)
    # The lowest finite number, not -inf: a row of -inf would be NaN, and so would its gradient.
    lowest = jnp.finfo(jnp.float32).min
    weights = jax.nn.softmax(jnp.where(seen, scores, lowest), axis=-1)
    return jnp.where(seen, weights, 0.0)


@typed
def dropout(
    x: Float[Array, "*shape"], rate: float, key: Key[Array, ""] | None
) -> Float[Array, "*shape"]:
    """Drops entries with probability `rate` and scales the rest, keeping the mean."""
    if rate == 0.0 or key is None:
        return x
    kept = jax.random.bernoulli(key, 1.0 - rate, x.shape)
    return jnp.where(kept, x / (1.0 - rate), 0.0).astype(x.dtype)


@typed
def dot_product_attention(
    query: Float[Array, "batch q_seq heads head_dim"],
    key: Float[Array, "batch kv_seq kv_heads head_dim"],
    value: Float[Array, "batch kv_seq kv_heads value_dim"],
    query_at: Coordinates,
    key_at: Coordinates,
    *,
    mask: Mask | None = None,
    scale: float | None = None,
    changes: tuple[ScoreFunction, ...] = (),
    dropout_rate: float = 0.0,
    dropout_key: Key[Array, ""] | None = None,
) -> Float[Array, "batch q_seq heads value_dim"]:
    r"""The reference kernel: all scores at once, $\mathrm{softmax}(s\,q k^\top) v$ per head.

    Memory grows with `q_seq * kv_seq`. Query heads share a key head in consecutive groups of
    `heads / kv_heads`.

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.1.
        Ainslie et al., GQA, 2023, arXiv:2305.13245.
    """
    batch, q_seq, heads, head_dim = query.shape
    kv_seq, kv_heads = key.shape[1:3]
    grouped = query.reshape(batch, q_seq, kv_heads, heads // kv_heads, head_dim)
    scores = jnp.einsum(
        "bqkgd,bskd->bkgqs", grouped, key, preferred_element_type=jnp.float32
    ).reshape(batch, heads, q_seq, kv_seq)
    scores = scores * (head_dim**-0.5 if scale is None else scale)
    for change in changes:
        scores = change(scores, query_at, key_at)
    weights = masked_softmax(scores, visible(mask, query_at, key_at)).astype(value.dtype)
    weights = dropout(weights, dropout_rate, dropout_key)
    weights = weights.reshape(batch, kv_heads, heads // kv_heads, q_seq, kv_seq)
    mixed = jnp.einsum("bkgqs,bskd->bqkgd", weights, value)
    return mixed.reshape(batch, q_seq, heads, value.shape[-1])
