"""The reference kernel, which computes all scores at once, with its softmax and dropout."""

import jax
import jax.numpy as jnp

from blocks.attention.kernels.heads import query_key_products, weighted_values
from blocks.attention.masks import Mask
from blocks.attention.masks import visible as visible_keys
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.drop import dropout
from blocks.core.typing import Array, Bool, Float, Key, typed


@typed
def masked_softmax(
    scores: Float[Array, "*batch q_seq kv_seq"],
    visible: Bool[Array, "*#batch #q_seq kv_seq"] | None = None,
    sinks: Float[Array, "*#batch #q_seq 1"] | None = None,
) -> Float[Array, "*batch q_seq kv_seq"]:
    """Softmax over the visible keys, in float32; zeros where no key is visible.

    `sinks` are logits that join the denominator only, so that weights may sum to less than 1.
    """
    scores = scores.astype(jnp.float32)
    if visible is not None:
        # The lowest finite number, not -inf: a row of -inf would be NaN, as would its gradient.
        scores = jnp.where(visible, scores, jnp.finfo(jnp.float32).min)
    if sinks is None:
        weights = jax.nn.softmax(scores, axis=-1)
    else:
        column = jnp.broadcast_to(sinks.astype(jnp.float32), (*scores.shape[:-1], 1))
        weights = jax.nn.softmax(jnp.concatenate([scores, column], axis=-1), axis=-1)[..., :-1]
    return weights if visible is None else jnp.where(visible, weights, 0.0)


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
    modifications: tuple[Modification, ...] = (),
    sinks: Float[Array, "heads"] | None = None,
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
    heads, head_dim = query.shape[2:]
    scores = query_key_products(query, key) * (head_dim**-0.5 if scale is None else scale)
    for modification in modifications:
        scores = modification(scores, query_at, key_at)
    column = None if sinks is None else sinks.reshape(1, heads, 1, 1)
    weights = masked_softmax(scores, visible_keys(mask, query_at, key_at), column)
    weights = dropout(weights.astype(value.dtype), dropout_rate, dropout_key)
    return weighted_values(weights, value)
