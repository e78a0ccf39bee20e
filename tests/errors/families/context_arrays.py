"""Mistakes in the arrays of a context."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import MASK, TOKENS, VALID, WIDE, X, mistake, shapes, stack, told

from blocks import Context, CrossAttention
from blocks.heads import LastToken

CASES = (
    mistake(
        "Stack valid length",
        lambda: shapes(stack(), X, Context(valid=jnp.ones((2, 4), bool))),
        TypeError,
        "Stack: argument `valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[2,4]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "Context valid dtype",
        lambda: Context(valid=TOKENS),
        TypeError,
        "context: argument `valid` does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   i32[2,3]",
        "  fix:      make it boolean: valid.astype(bool)",
    ),
    mistake(
        "Stack valid square",
        lambda: shapes(stack(), X, Context(valid=jnp.ones((3, 3), bool))),
        TypeError,
        "Stack: argument `valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        f"  fix:      {MASK}",
    ),
    mistake(
        "Context valid rank",
        lambda: Context(valid=jnp.ones((2, 1, 1, 3), bool)),
        TypeError,
        "context: argument `valid` does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[2,1,1,3]",
        f"  fix:      {MASK}",
    ),
    mistake(
        "Context valid of several calls",
        lambda: Context(valid=jnp.ones((4, 2, 3), bool)),
        TypeError,
        "context: argument `valid` does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[4,2,3]",
        "  fix:      it has an axis more: call it under jax.vmap, with in_axes=0 for valid",
    ),
    mistake(
        "Context valid one row",
        lambda: Context(valid=VALID[0]),
        TypeError,
        "context: argument `valid` does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3]",
        "  fix:      add the batch axis: valid[None]",
    ),
    mistake(
        "Stack valid batch",
        lambda: shapes(stack(), X, Context(valid=VALID[:1])),
        TypeError,
        "Stack: argument `valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[1,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "Stack valid turned",
        lambda: shapes(stack(), X, Context(valid=VALID.T)),
        TypeError,
        "Stack: argument `valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3,2]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      transpose it: valid.T",
    ),
    mistake(
        "Context segment_ids dtype",
        lambda: Context(segment_ids=jnp.ones((2, 3))),
        TypeError,
        "context: argument `segment_ids` does not fit its signature",
        "  expected: Int[Array, 'batch seq'] | None",
        "  actual:   f32[2,3]",
        "  fix:      give whole numbers: segment_ids.astype(jnp.int32)",
    ),
    told(
        "CrossAttention memory batch",
        lambda: shapes(CrossAttention(num_heads=2), X, Context(memory=jnp.ones((3, 4, 8)))),
        TypeError,
        "CrossAttention: argument `memory` of context",
        "expected: Float[Array, 'batch memory_seq memory_embed'] | None",
    ),
    mistake(
        "Context memory rank",
        lambda: Context(memory=X[0]),
        TypeError,
        "context: argument `memory` does not fit its signature",
        "  expected: Float[Array, 'batch memory_seq memory_embed'] | None",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: memory[None]",
    ),
    mistake(
        "Context memory_valid length",
        lambda: Context(memory=WIDE[:, :2], memory_valid=VALID),
        TypeError,
        "context: argument `memory_valid` does not fit its signature",
        "  expected: Bool[Array, 'batch memory_seq'] | None",
        "  actual:   bool[2,3]",
        "  with:     batch=2, memory_seq=2 (bound by the arguments before it)",
    ),
    told(
        "LastToken valid length",
        lambda: shapes(LastToken(), X, Context(valid=VALID[:, :2])),
        TypeError,
        "LastToken: argument `valid` of context",
        "expected: Bool[Array, 'batch seq'] | None",
    ),
    mistake(
        "Context segment_ids of another length",
        lambda: Context(valid=VALID, segment_ids=TOKENS[:, :2]),
        TypeError,
        "context: argument `segment_ids` does not fit its signature",
        "  expected: Int[Array, 'batch seq'] | None",
        "  actual:   i32[2,2]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "Context documents without those of the memory",
        lambda: Context(segment_ids=TOKENS, memory=X),
        ValueError,
        "Context: segment_ids without memory_segment_ids: each token reads the memory of its own "
        "document; give memory_segment_ids too, or leave both out.",
    ),
    mistake(
        "Context documents of the memory alone",
        lambda: Context(memory_segment_ids=TOKENS, memory=X),
        ValueError,
        "Context: memory_segment_ids without segment_ids: each token reads the memory of its own "
        "document; give segment_ids too, or leave both out.",
    ),
    mistake(
        "Context extras",
        lambda: Context(extras=X),
        TypeError,
        "Context: extras=f32[2,3,8] must be arrays by name; write extras={name: array}.",
    ),
)
