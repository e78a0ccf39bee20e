"""Mistakes in embeddings and positions."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, mistake, shapes, told

from blocks import (
    PatchEmbedding,
    TokenEmbedding,
)
from blocks.embeddings import VectorEmbedding

images = jnp.ones((2, 8, 8, 3))

CASES = (
    mistake(
        "TokenEmbedding rank",
        lambda: shapes(TokenEmbedding(vocab_size=5, features=8), TOKENS[0]),
        TypeError,
        "TokenEmbedding: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   i32[3]",
        "  fix:      add the batch axis: tokens[None]",
    ),
    mistake(
        "TokenEmbedding one-hot",
        lambda: shapes(TokenEmbedding(vocab_size=5, features=8), X),
        TypeError,
        "TokenEmbedding: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   f32[2,3,8]",
        "  fix:      it looks one-hot; give the ids, jnp.argmax(tokens, axis=-1)",
    ),
    mistake(
        "TokenEmbedding dtype",
        lambda: shapes(TokenEmbedding(vocab_size=5, features=8), X[..., 0]),
        TypeError,
        "TokenEmbedding: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   f32[2,3]",
        "  fix:      give whole numbers: tokens.astype(jnp.int32)",
    ),
    mistake(
        "TokenEmbedding list",
        lambda: shapes(TokenEmbedding(vocab_size=5, features=8), [[1, 2]]),
        TypeError,
        "TokenEmbedding: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   [[1, 2]]",
        "  fix:      make it an array: jnp.asarray(tokens)",
    ),
    mistake(
        "TokenEmbedding text",
        lambda: shapes(TokenEmbedding(vocab_size=5, features=8), ["to be"]),
        TypeError,
        "TokenEmbedding: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   ['to be']",
        "  fix:      text becomes token ids first, by a tokenizer",
    ),
    told(
        "PatchEmbedding size",
        lambda: shapes(PatchEmbedding(size=4, features=8), images[:, :7]),
        ValueError,
        "PatchEmbedding: an image of 7 x 8 is not whole patches of size=4",
    ),
    told(
        "VectorEmbedding dropout_rate",
        lambda: VectorEmbedding(dropout_rate=1.5),
        ValueError,
        "VectorEmbedding: dropout_rate=1.5 must be at least 0 and below 1.",
    ),
)
