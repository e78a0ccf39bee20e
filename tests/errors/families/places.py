"""Mistakes in positions that are added to embeddings."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, WHOLE, X, mistake, shapes

from blocks import GridPositions, LearnedPositions, SinusoidalGrid, SinusoidalPositions

CASES = (
    mistake(
        "LearnedPositions rank",
        lambda: shapes(LearnedPositions(max_length=4), X[0], TOKENS),
        TypeError,
        "LearnedPositions: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "LearnedPositions swapped",
        lambda: shapes(LearnedPositions(max_length=4), TOKENS, X),
        TypeError,
        "LearnedPositions: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   i32[2,3]",
        "  fix:      they are swapped: `x` comes before `positions`",
    ),
    mistake(
        "LearnedPositions positions batch",
        lambda: shapes(LearnedPositions(max_length=4), X, jnp.zeros((3, 3), jnp.int32)),
        TypeError,
        "LearnedPositions: argument `positions` does not fit its signature",
        "  expected: Int[Array, '#batch seq']",
        "  actual:   i32[3,3]",
        "  with:     batch=2, seq=3, embed=8 (bound by the arguments before it)",
    ),
    mistake(
        "LearnedPositions positions dtype",
        lambda: shapes(LearnedPositions(max_length=4), X, X[..., 0]),
        TypeError,
        "LearnedPositions: argument `positions` does not fit its signature",
        "  expected: Int[Array, '#batch seq']",
        "  actual:   f32[2,3]",
        "  with:     batch=2, seq=3, embed=8 (bound by the arguments before it)",
        "  fix:      give whole numbers: positions.astype(jnp.int32)",
    ),
    mistake(
        "SinusoidalPositions rank",
        lambda: shapes(SinusoidalPositions(), X[0], TOKENS),
        TypeError,
        "SinusoidalPositions: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "SinusoidalPositions swapped",
        lambda: shapes(SinusoidalPositions(), TOKENS, X),
        TypeError,
        "SinusoidalPositions: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   i32[2,3]",
        "  fix:      they are swapped: `x` comes before `positions`",
    ),
    mistake(
        "SinusoidalPositions positions batch",
        lambda: shapes(SinusoidalPositions(), X, jnp.zeros((3, 3), jnp.int32)),
        TypeError,
        "SinusoidalPositions: argument `positions` does not fit its signature",
        "  expected: Int[Array, '#batch seq']",
        "  actual:   i32[3,3]",
        "  with:     batch=2, seq=3, embed=8 (bound by the arguments before it)",
    ),
    mistake(
        "SinusoidalPositions positions dtype",
        lambda: shapes(SinusoidalPositions(), X, X[..., 0]),
        TypeError,
        "SinusoidalPositions: argument `positions` does not fit its signature",
        "  expected: Int[Array, '#batch seq']",
        "  actual:   f32[2,3]",
        "  with:     batch=2, seq=3, embed=8 (bound by the arguments before it)",
        "  fix:      give whole numbers: positions.astype(jnp.int32)",
    ),
    mistake(
        "LearnedPositions too long",
        lambda: shapes(
            LearnedPositions(max_length=4), jnp.ones((2, 9, 8)), jnp.zeros((1, 9), jnp.int32)
        ),
        ValueError,
        (
            "LearnedPositions: seq=9 is longer than max_length=4; shorten the input or "
            "raise max_length."
        ),
    ),
    mistake(
        "GridPositions rank",
        lambda: shapes(GridPositions(rows=2, columns=2), X),
        TypeError,
        "GridPositions: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch rows columns embed']",
        "  actual:   f32[2,3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "GridPositions dtype",
        lambda: shapes(GridPositions(rows=2, columns=2), WHOLE[None]),
        TypeError,
        "GridPositions: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch rows columns embed']",
        "  actual:   i32[1,2,3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "SinusoidalGrid rank",
        lambda: shapes(SinusoidalGrid(), X),
        TypeError,
        "SinusoidalGrid: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch rows columns embed']",
        "  actual:   f32[2,3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "SinusoidalGrid dtype",
        lambda: shapes(SinusoidalGrid(), WHOLE[None]),
        TypeError,
        "SinusoidalGrid: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch rows columns embed']",
        "  actual:   i32[1,2,3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "SinusoidalGrid width",
        lambda: shapes(SinusoidalGrid(), jnp.ones((2, 2, 2, 6))),
        ValueError,
        "SinusoidalGrid: embed=6 must be a multiple of 4: sine and cosine, twice.",
    ),
)
