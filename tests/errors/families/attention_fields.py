"""Mistakes in the fields of attention blocks."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import MASK, mistake, told

from blocks import (
    AttentionHead,
    Causal,
    ChunkedAttention,
    CudnnAttention,
    MultiHeadAttention,
    SoftCap,
)

CASES = (
    mistake(
        "MultiHeadAttention num_heads",
        lambda: MultiHeadAttention(num_heads=0),
        ValueError,
        "MultiHeadAttention: num_heads=0 must be at least 1.",
    ),
    mistake(
        "MultiHeadAttention num_kv_heads",
        lambda: MultiHeadAttention(num_heads=6, num_kv_heads=4),
        ValueError,
        "MultiHeadAttention: num_kv_heads=4 must divide num_heads=6; use 1, 2, 3 or 6.",
    ),
    mistake(
        "MultiHeadAttention dropout_rate",
        lambda: MultiHeadAttention(num_heads=2, dropout_rate=1.0),
        ValueError,
        "MultiHeadAttention: dropout_rate=1.0 must be at least 0 and below 1.",
    ),
    mistake(
        "MultiHeadAttention num_heads 2",
        lambda: MultiHeadAttention(num_heads="2"),
        TypeError,
        "MultiHeadAttention: field `num_heads` cannot hold this",
        "  expected: int",
        "  actual:   '2'",
        "  fix:      write 2, without quotes",
    ),
    mistake(
        "MultiHeadAttention num_heads 3",
        lambda: MultiHeadAttention(num_heads=2.0),
        TypeError,
        "MultiHeadAttention: field `num_heads` cannot hold this",
        "  expected: int",
        "  actual:   2.0",
        "  fix:      write 2",
    ),
    mistake(
        "MultiHeadAttention mask",
        lambda: MultiHeadAttention(num_heads=2, mask="causal"),
        TypeError,
        "MultiHeadAttention: field `mask` cannot hold this",
        "  expected: Mask | None",
        "  actual:   'causal'",
        "  fix:      write Causal(...), a value instead of its name",
    ),
    mistake(
        "MultiHeadAttention mask 2",
        lambda: MultiHeadAttention(num_heads=2, mask=jnp.ones((3, 3), bool)),
        TypeError,
        "MultiHeadAttention: field `mask` cannot hold this",
        "  expected: Mask | None",
        "  actual:   bool[3,3]",
        f"  fix:      {MASK}",
    ),
    mistake(
        "MultiHeadAttention mask 3",
        lambda: MultiHeadAttention(num_heads=2, mask=Causal),
        TypeError,
        "MultiHeadAttention: field `mask` cannot hold this",
        "  expected: Mask | None",
        "  actual:   Causal",
        "  fix:      it is the class; write Causal(...)",
    ),
    mistake(
        "MultiHeadAttention position",
        lambda: MultiHeadAttention(num_heads=2, position="rope"),
        TypeError,
        "MultiHeadAttention: field `position` cannot hold this",
        "  expected: QKTransform | None",
        "  actual:   'rope'",
        "  fix:      write RoPE(...), a value instead of its name",
    ),
    mistake(
        "MultiHeadAttention implementation",
        lambda: MultiHeadAttention(num_heads=2, implementation="flash"),
        TypeError,
        "MultiHeadAttention: field `implementation` cannot hold this",
        "  expected: Kernel",
        "  actual:   'flash'",
        "  fix:      write a value instead of a name",
    ),
    mistake(
        "MultiHeadAttention scores",
        lambda: MultiHeadAttention(num_heads=2, scores=SoftCap(cap=1.0)),
        TypeError,
        "MultiHeadAttention: field `scores` cannot hold this",
        "  expected: tuple[ScoreModification, ...]",
        "  actual:   SoftCap(cap=1.0)",
        "  fix:      write it as a tuple, (...,)",
    ),
    mistake(
        "MultiHeadAttention use_bias 2",
        lambda: MultiHeadAttention(num_heads=2, use_bias=None),
        TypeError,
        "MultiHeadAttention: field `use_bias` cannot hold this",
        "  expected: bool | Biases",
        "  actual:   None",
    ),
    mistake(
        "MultiHeadAttention heads 2",
        lambda: MultiHeadAttention(heads=2),
        TypeError,
        "MultiHeadAttention: no field `heads`; did you mean `num_heads`?",
    ),
    mistake(
        "MultiHeadAttention num_heads 4",
        lambda: MultiHeadAttention(),
        TypeError,
        (
            "MultiHeadAttention: the field `num_heads` is missing; write "
            "MultiHeadAttention(num_heads=...)."
        ),
    ),
    told(
        "AttentionHead head_dim",
        lambda: AttentionHead(head_dim=0),
        ValueError,
        "AttentionHead: head_dim=0 must be at least 1",
    ),
    mistake(
        "MultiHeadAttention implementation 2",
        lambda: MultiHeadAttention(
            num_heads=2, implementation=CudnnAttention(), scores=(SoftCap(cap=1.0),)
        ),
        ValueError,
        (
            "MultiHeadAttention: implementation=CudnnAttention() does not support the score "
            "modification SoftCap(cap=1.0); use ChunkedAttention() or dot_product_attention, or "
            "Auto(), which chooses."
        ),
    ),
    mistake(
        "MultiHeadAttention implementation 3",
        lambda: MultiHeadAttention(num_heads=2, implementation=ChunkedAttention),
        TypeError,
        "MultiHeadAttention: field `implementation` cannot hold this",
        "  expected: Kernel",
        "  actual:   ChunkedAttention",
        "  fix:      it is the class; write ChunkedAttention(...)",
    ),
)
