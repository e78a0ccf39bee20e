"""Mistakes in embeddings and positions."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, mistake, shapes, told

from blocks import Context, PatchEmbedding, TokenEmbedding
from blocks.embeddings import Convolution, SoundEmbedding
from blocks.norms import GroupNorm
from blocks.positions import ConvolutionalPositions

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
        "  fix:      give an array, as jnp.asarray(tokens)",
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
        "Convolution short signal",
        lambda: shapes(Convolution(features=4, width=10), X),
        ValueError,
        "Convolution: width=10 is more than the 3 steps of x; pad the signal.",
    ),
    told(
        "SoundEmbedding steps",
        lambda: SoundEmbedding(steps=()),
        ValueError,
        "SoundEmbedding: steps=() must hold at least one step, such as a Convolution.",
    ),
    told(
        "SoundEmbedding cache",
        lambda: shapes(
            SoundEmbedding(steps=(Convolution(features=4, width=3),)), X, Context(cache_size=3)
        ),
        ValueError,
        "SoundEmbedding: cache_size of the context: SoundEmbedding reads whole signals",
        "leave cache_size out.",
    ),
    told(
        "SoundEmbedding padding",
        lambda: shapes(
            SoundEmbedding(steps=(GroupNorm(num_groups=2),)),
            X,
            Context(valid=jnp.ones((2, 3), bool)),
        ),
        ValueError,
        "SoundEmbedding: valid of the context: GroupNorm averages over all steps",
    ),
    told(
        "ConvolutionalPositions num_groups",
        lambda: shapes(ConvolutionalPositions(width=3, num_groups=3), X),
        ValueError,
        "ConvolutionalPositions: num_groups=3 must divide embed=8.",
    ),
    told(
        "ConvolutionalPositions cache",
        lambda: shapes(ConvolutionalPositions(width=3), X, Context(cache_size=3)),
        ValueError,
        "ConvolutionalPositions: cache_size of the context: ConvolutionalPositions mixes",
    ),
    told(
        "GroupNorm features",
        lambda: shapes(GroupNorm(num_groups=3), X),
        ValueError,
        "GroupNorm: num_groups=3 must divide embed=8; 8 groups normalise each feature alone.",
    ),
)
