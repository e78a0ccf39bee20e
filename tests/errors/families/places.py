"""Mistakes in positions that are added to embeddings."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import shapes, told

from blocks import LearnedPositions

CASES = (
    told(
        "LearnedPositions too long",
        lambda: shapes(
            LearnedPositions(max_length=4), jnp.ones((2, 9, 8)), jnp.zeros((1, 9), jnp.int32)
        ),
        ValueError,
        "LearnedPositions: seq=9 is longer than max_length=4",
    ),
)
