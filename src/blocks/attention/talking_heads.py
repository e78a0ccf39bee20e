"""`TalkingHeadsAttention`: heads mix their scores before the softmax and weights after it."""

import functools

import jax
import jax.numpy as jnp

from blocks.attention.kernels import (
    Kernel,
    dot_product_attention,
    dropout,
    masked_softmax,
)
from blocks.attention.masks import Mask, visible
from blocks.attention.multi_head import MultiHeadAttention
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.typing import Array, Dtype, Float, Key, typed


@typed
def talking_heads_attention(
    query: Float[Array, "batch q_seq heads head_dim"],
    key: Float[Array, "batch kv_seq kv_heads head_dim"],
    value: Float[Array, "batch kv_seq kv_heads value_dim"],
    query_at: Coordinates,
    key_at: Coordinates,
    *,
    logits_mix: Float[Array, "heads heads"],
    weights_mix: Float[Array, "heads heads"],
    mask: Mask | None = None,
    scale: float | None = None,
    modifications: tuple[Modification, ...] = (),
    sinks: Float[Array, "heads"] | None = None,
    dropout_rate: float = 0.0,
    dropout_key: Key[Array, ""] | None = None,
) -> Float[Array, "batch q_seq heads value_dim"]:
    """Talking-heads attention as a pure function; scores and weights are float32."""
    batch, q_seq, heads, head_dim = query.shape
    kv_seq, kv_heads = key.shape[1:3]
    mix = functools.partial(jnp.einsum, "bgqs,gh->bhqs")
    grouped = query.reshape(batch, q_seq, kv_heads, heads // kv_heads, head_dim)
    scores = jnp.einsum(
        "bqkgd,bskd->bkgqs", grouped, key, preferred_element_type=jnp.float32
    ).reshape(batch, heads, q_seq, kv_seq)
    scores = scores * (head_dim**-0.5 if scale is None else scale)
    scores = mix(scores, logits_mix.astype(jnp.float32))
    for modification in modifications:
        scores = modification(scores, query_at, key_at)
    column = None if sinks is None else sinks.reshape(1, heads, 1, 1)
    weights = masked_softmax(scores, visible(mask, query_at, key_at), column)
    weights = mix(weights, weights_mix.astype(jnp.float32)).astype(value.dtype)
    weights = dropout(weights, dropout_rate, dropout_key)
    weights = weights.reshape(batch, kv_heads, heads // kv_heads, q_seq, kv_seq)
    mixed = jnp.einsum("bkgqs,bskd->bqkgd", weights, value)
    return mixed.reshape(batch, q_seq, heads, value.shape[-1])


class TalkingHeadsAttention(MultiHeadAttention, kw_only=True):
    r"""Talking-heads attention: heads mix their scores before the softmax and weights after it.

    $$S_h = \sum_g L_{gh} \frac{q_g k_g^\top}{\sqrt{d}}, \qquad
    A_h = \sum_g M_{gh}\, \mathrm{softmax}(S_g), \qquad o_h = A_h v_h$$

    Otherwise the block is a `MultiHeadAttention`, fields included. Score modifications, the mask
    and sinks apply to the mixed scores $S$, dropout to the mixed weights $A$. A mask is the same
    for all heads, so a hidden key has no weight after mixing either; a query with no visible key
    gives zeros. Weights may be negative, and those of a query need not sum to 1.

    $L$ and $M$ start as identities, so that a fresh block equals a `MultiHeadAttention`. Mixing
    needs all weights at once, so no other implementation can be chosen.

    Raises:
        ValueError: fields as in `MultiHeadAttention`, or another implementation.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal
        >>> from blocks.attention import TalkingHeadsAttention
        >>> attention = TalkingHeadsAttention(num_heads=4, mask=Causal())
        >>> variables = attention.init(jax.random.key(0), jnp.ones((1, 3, 32)))
        >>> variables["params"]["logits_mix"].shape
        (4, 4)

        ```

    References:
        Shazeer et al., Talking-Heads Attention, 2020, arXiv:2003.02436.
    """

    def check_fields(self) -> None:
        """Validate that the implementation is the default."""
        super().check_fields()
        if self.implementation is not dot_product_attention:
            raise ValueError(
                f"implementation={self.implementation} keeps its weights to itself, and talking "
                "heads mix them; leave implementation=dot_product_attention, or use "
                "MultiHeadAttention."
            )

    def _adapt(self, kernel: Kernel, head_dim: int) -> Kernel:
        def mixing(name: str) -> Array:
            return self.param(name, _identity, (self.num_heads, self.num_heads), self.param_dtype)

        return functools.partial(
            talking_heads_attention,
            logits_mix=mixing("logits_mix"),
            weights_mix=mixing("weights_mix"),
        )


def _identity(key: Key[Array, ""], shape: tuple[int, int], dtype: Dtype) -> jax.Array:
    return jnp.eye(*shape, dtype=dtype)
