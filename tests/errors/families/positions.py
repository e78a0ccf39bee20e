"""Mistakes in rotations, norms and kernels of queries and keys."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, told

from blocks import Context, dot_product_attention
from blocks.attention import AttentionInputs
from blocks.context import Coordinates

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim
at = Coordinates(TOKENS[:1], TOKENS[:1])
inputs = AttentionInputs(X, Context(), True, at, at)

CASES = (
    told(
        "dot_product_attention key width",
        lambda: dot_product_attention(heads, heads[..., :3], heads, at, at),
        TypeError,
        "dot_product_attention: argument `key`",
        "expected: Float[Array, 'batch kv_seq kv_heads head_dim']",
    ),
)
