"""Mistakes in what comes with a call."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import ATTEND, KEY, MASK, TOKENS, VALID, X, mistake, shapes

from blocks import Causal, Context

CASES = (
    mistake(
        "MultiHeadAttention padding as context",
        lambda: shapes(ATTEND, X, VALID),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   bool[2,3]",
        f"  fix:      {MASK}",
    ),
    mistake(
        "MultiHeadAttention switch as context",
        lambda: shapes(ATTEND, X, True),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   True",
        "  fix:      write deterministic=True",
    ),
    mistake(
        "MultiHeadAttention four axes as context",
        lambda: shapes(ATTEND, X, jnp.ones((1, 1, 3, 3), bool)),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   bool[1,1,3,3]",
        f"  fix:      {MASK}",
    ),
    mistake(
        "MultiHeadAttention mask as context",
        lambda: shapes(ATTEND, X, Causal()),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   Causal()",
        (
            "  fix:      Causal goes into mask=Causal() of MultiHeadAttention, "
            "CrossAttention, DifferentialAttention, ..."
        ),
    ),
    mistake(
        "MultiHeadAttention ids as context",
        lambda: shapes(ATTEND, X, TOKENS),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   i32[2,3]",
        "  fix:      give its arrays names, as Context(positions=...)",
    ),
    mistake(
        "MultiHeadAttention memory as context",
        lambda: shapes(ATTEND, X, X),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   f32[2,3,8]",
        (
            "  fix:      self-attention takes x once, and makes queries, keys and values of it; "
            "what CrossAttention reads comes as Context(memory=...)"
        ),
    ),
    mistake(
        "MultiHeadAttention condition as context",
        lambda: shapes(ATTEND, X, X[:, 0]),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   f32[2,8]",
        "  fix:      give its arrays names, as Context(positions=...)",
    ),
    mistake(
        "MultiHeadAttention key as context",
        lambda: shapes(ATTEND, X, KEY),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   key<fry>[]",
        '  fix:      the key of dropout goes to apply: rngs={"dropout": key}',
    ),
    mistake(
        "MultiHeadAttention dict as context",
        lambda: shapes(ATTEND, X, {"valid": None}),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   {'valid': None}",
        "  fix:      give its arrays names, as Context(positions=...)",
    ),
    mistake(
        "MultiHeadAttention class as context",
        lambda: shapes(ATTEND, X, Context),
        TypeError,
        "MultiHeadAttention: argument `context` does not fit its signature",
        "  expected: Context | None",
        "  actual:   Context",
        "  fix:      it is the class; write Context(...)",
    ),
)
