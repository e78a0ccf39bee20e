"""Mistakes in the arrays of a context."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, VALID, WIDE, X, mistake, shapes, stack

from blocks import Context, CrossAttention, LastToken, MeanPool

CASES = (
    mistake(
        "Stack valid length",
        lambda: shapes(stack(), X, Context(valid=jnp.ones((2, 4), bool))),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[2,4]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "Stack valid dtype",
        lambda: shapes(stack(), X, Context(valid=TOKENS)),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   i32[2,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      make it boolean: valid.astype(bool)",
    ),
    mistake(
        "Stack valid square",
        lambda: shapes(stack(), X, Context(valid=jnp.ones((3, 3), bool))),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        (
            "  fix:      who sees whom is a field of attention, as mask=Causal(); padding "
            "comes as Context(valid=...)"
        ),
    ),
    mistake(
        "Stack valid rank",
        lambda: shapes(stack(), X, Context(valid=jnp.ones((2, 1, 1, 3), bool))),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[2,1,1,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        (
            "  fix:      who sees whom is a field of attention, as mask=Causal(); padding "
            "comes as Context(valid=...)"
        ),
    ),
    mistake(
        "Stack valid one row",
        lambda: shapes(stack(), X, Context(valid=VALID[0])),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      add the batch axis: valid[None]",
    ),
    mistake(
        "Stack valid batch",
        lambda: shapes(stack(), X, Context(valid=VALID[:1])),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[1,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      one row for every sequence: jnp.broadcast_to(valid, (2, 3))",
    ),
    mistake(
        "Stack valid turned",
        lambda: shapes(stack(), X, Context(valid=VALID.T)),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `valid` of context does "
            "not fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3,2]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      turn it round: valid.T",
    ),
    mistake(
        "Stack segment_ids dtype",
        lambda: shapes(stack(), X, Context(segment_ids=jnp.ones((2, 3)))),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `segment_ids` of context does"
            " not fit its signature"
        ),
        "  expected: Int[Array, 'batch seq'] | None",
        "  actual:   f32[2,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      give whole numbers: segment_ids.astype(jnp.int32)",
    ),
    mistake(
        "Stack segment_ids one row",
        lambda: shapes(stack(), X, Context(segment_ids=TOKENS[0])),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `segment_ids` of context does"
            " not fit its signature"
        ),
        "  expected: Int[Array, 'batch seq'] | None",
        "  actual:   i32[3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      add the batch axis: segment_ids[None]",
    ),
    mistake(
        "Stack positions length",
        lambda: shapes(stack(), X, Context(positions=jnp.zeros((2, 4), jnp.int32))),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `positions` of context "
            "does not fit its signature"
        ),
        "  expected: Int[Array, '#batch seq'] | None",
        "  actual:   i32[2,4]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "Stack positions dtype",
        lambda: shapes(stack(), X, Context(positions=jnp.zeros((2, 3)))),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `positions` of context "
            "does not fit its signature"
        ),
        "  expected: Int[Array, '#batch seq'] | None",
        "  actual:   f32[2,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      give whole numbers: positions.astype(jnp.int32)",
    ),
    mistake(
        "Stack positions one row",
        lambda: shapes(stack(), X, Context(positions=TOKENS[0])),
        TypeError,
        (
            "MultiHeadAttention at `layer_0.attention`: argument `positions` of context "
            "does not fit its signature"
        ),
        "  expected: Int[Array, '#batch seq'] | None",
        "  actual:   i32[3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      add the batch axis: positions[None]",
    ),
    mistake(
        "Stack scanned valid turned",
        lambda: shapes(stack(scan=True), X, Context(valid=VALID.T)),
        TypeError,
        (
            "MultiHeadAttention at `layers.attention`: argument `valid` of context does not"
            " fit its signature"
        ),
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[3,2]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      turn it round: valid.T",
    ),
    mistake(
        "CrossAttention memory batch",
        lambda: shapes(CrossAttention(num_heads=2), X, Context(memory=jnp.ones((3, 4, 8)))),
        TypeError,
        "CrossAttention: argument `memory` of context does not fit its signature",
        "  expected: Float[Array, 'batch memory_seq memory_embed']",
        "  actual:   f32[3,4,8]",
        "  with:     batch=2, seq=3, embed=8 (bound by the arguments before it)",
    ),
    mistake(
        "CrossAttention memory rank",
        lambda: shapes(CrossAttention(num_heads=2), X, Context(memory=X[0])),
        TypeError,
        "CrossAttention: argument `memory` of context does not fit its signature",
        "  expected: Float[Array, 'batch memory_seq memory_embed']",
        "  actual:   f32[3,8]",
        "  with:     batch=2, seq=3, embed=8 (bound by the arguments before it)",
        "  fix:      add the batch axis: memory[None]",
    ),
    mistake(
        "CrossAttention memory_valid length",
        lambda: shapes(
            CrossAttention(num_heads=2), X, Context(memory=WIDE[:, :2], memory_valid=VALID)
        ),
        TypeError,
        "CrossAttention: argument `memory_valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch memory_seq'] | None",
        "  actual:   bool[2,3]",
        (
            "  with:     batch=2, seq=3, embed=8, memory_seq=2, memory_embed=16 (bound by "
            "the arguments before it)"
        ),
    ),
    mistake(
        "LastToken valid length",
        lambda: shapes(LastToken(), X, Context(valid=VALID[:, :2])),
        TypeError,
        "LastToken: argument `valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   bool[2,2]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "MeanPool valid dtype",
        lambda: shapes(MeanPool(), X, Context(valid=TOKENS)),
        TypeError,
        "MeanPool: argument `valid` of context does not fit its signature",
        "  expected: Bool[Array, 'batch seq'] | None",
        "  actual:   i32[2,3]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      make it boolean: valid.astype(bool)",
    ),
    mistake(
        "Context cache_size 2",
        lambda: Context(cache_size=0),
        ValueError,
        "Context: cache_size=0 must be a whole number of tokens, at least 1.",
    ),
    mistake(
        "Context unknown field",
        lambda: Context(maks=None),
        TypeError,
        (
            "Context: no field `maks`; there are positions, valid, segment_ids, token_type_ids,"
            " tokens, memory, memory_valid, x0, condition, carry, streams, cache_size."
        ),
    ),
)
