"""Mistakes in rotations, norms and kernels of queries and keys."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, mistake, shapes

from blocks import (
    AttentionInputs,
    Context,
    Coordinates,
    FullWidthQKNorm,
    QKNorm,
    RoPE,
    dot_product_attention,
)

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim
at = Coordinates(TOKENS[:1], TOKENS[:1])
inputs = AttentionInputs(X, Context(), True, at, at)

CASES = (
    mistake(
        "RoPE rank",
        lambda: shapes(RoPE(), X, heads, inputs),
        TypeError,
        "RoPE: argument `query` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads head_dim']",
        "  actual:   f32[2,3,8]",
        "  fix:      add the batch axis: query[None]",
    ),
    mistake(
        "RoPE key of another batch",
        lambda: shapes(RoPE(), heads, heads[:1], inputs),
        TypeError,
        "RoPE: argument `key` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads head_dim']",
        "  actual:   f32[1,3,2,4]",
        ("  with:     batch=2, q_seq=3, heads=2, head_dim=4 (bound by the arguments before it)"),
        "  fix:      one row for every sequence: jnp.broadcast_to(key, (2, 3, 2, 4))",
    ),
    mistake(
        "RoPE coordinates",
        lambda: shapes(RoPE(), heads, heads, at),
        TypeError,
        "RoPE: argument `inputs` does not fit its signature",
        "  expected: AttentionInputs",
        "  actual:   Coordinates(order=i32[1,3], positions=i32[1,3])",
    ),
    mistake(
        "QKNorm rank",
        lambda: shapes(QKNorm(), X, heads, inputs),
        TypeError,
        "QKNorm: argument `query` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads head_dim']",
        "  actual:   f32[2,3,8]",
        "  fix:      add the batch axis: query[None]",
    ),
    mistake(
        "QKNorm key of another batch",
        lambda: shapes(QKNorm(), heads, heads[:1], inputs),
        TypeError,
        "QKNorm: argument `key` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads head_dim']",
        "  actual:   f32[1,3,2,4]",
        ("  with:     batch=2, q_seq=3, heads=2, head_dim=4 (bound by the arguments before it)"),
        "  fix:      one row for every sequence: jnp.broadcast_to(key, (2, 3, 2, 4))",
    ),
    mistake(
        "QKNorm coordinates",
        lambda: shapes(QKNorm(), heads, heads, at),
        TypeError,
        "QKNorm: argument `inputs` does not fit its signature",
        "  expected: AttentionInputs",
        "  actual:   Coordinates(order=i32[1,3], positions=i32[1,3])",
    ),
    mistake(
        "FullWidthQKNorm rank",
        lambda: shapes(FullWidthQKNorm(), X, heads, inputs),
        TypeError,
        "FullWidthQKNorm: argument `query` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads head_dim']",
        "  actual:   f32[2,3,8]",
        "  fix:      add the batch axis: query[None]",
    ),
    mistake(
        "FullWidthQKNorm key of another batch",
        lambda: shapes(FullWidthQKNorm(), heads, heads[:1], inputs),
        TypeError,
        "FullWidthQKNorm: argument `key` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads head_dim']",
        "  actual:   f32[1,3,2,4]",
        ("  with:     batch=2, q_seq=3, heads=2, head_dim=4 (bound by the arguments before it)"),
        "  fix:      one row for every sequence: jnp.broadcast_to(key, (2, 3, 2, 4))",
    ),
    mistake(
        "FullWidthQKNorm coordinates",
        lambda: shapes(FullWidthQKNorm(), heads, heads, at),
        TypeError,
        "FullWidthQKNorm: argument `inputs` does not fit its signature",
        "  expected: AttentionInputs",
        "  actual:   Coordinates(order=i32[1,3], positions=i32[1,3])",
    ),
    mistake(
        "dot_product_attention key width",
        lambda: dot_product_attention(heads, heads[..., :3], heads, at, at),
        TypeError,
        "dot_product_attention: argument `key` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads head_dim']",
        "  actual:   f32[2,3,2,3]",
        ("  with:     batch=2, q_seq=3, heads=2, head_dim=4 (bound by the arguments before it)"),
    ),
    mistake(
        "dot_product_attention rank",
        lambda: dot_product_attention(X, X, X, at, at),
        TypeError,
        "dot_product_attention: argument `query` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads head_dim']",
        "  actual:   f32[2,3,8]",
        "  fix:      add the batch axis: query[None]",
    ),
)
