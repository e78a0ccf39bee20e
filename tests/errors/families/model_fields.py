"""Mistakes in the fields of embeddings, heads, positions and models."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import mistake, told

from blocks import (
    CausalLM,
    Encoder,
    LMHead,
    PatchEmbedding,
    SinusoidalPositions,
    TokenEmbedding,
)
from blocks.embeddings import BigramHash
from blocks.heads import PooledHead

CASES = (
    told(
        "LMHead vocab_size",
        lambda: LMHead(),
        ValueError,
        "LMHead: vocab_size=None must be at least 1",
    ),
    told(
        "LMHead vocab_size 2",
        lambda: LMHead(vocab_size=5, tied=True),
        ValueError,
        (
            "LMHead: vocab_size=5 contradicts tied=True, which takes the size of the embedding's "
            "table"
        ),
    ),
    told(
        "LMHead tied",
        lambda: LMHead(tied=1),
        TypeError,
        "LMHead: field `tied`",
        "write True",
    ),
    told(
        "LMHead logit_cap",
        lambda: LMHead(vocab_size=5, logit_cap=0.0),
        ValueError,
        "LMHead: logit_cap=0.0 must be positive, or None for no bound.",
    ),
    told(
        "PooledHead features",
        lambda: PooledHead(features=0),
        ValueError,
        "PooledHead: features=0 must be at least 1, or None.",
    ),
    mistake(
        "TokenEmbedding vocab_size",
        lambda: TokenEmbedding(vocab_size=0, features=8),
        ValueError,
        "TokenEmbedding: vocab_size=0 must be at least 1.",
    ),
    told(
        "PatchEmbedding token_positions",
        lambda: PatchEmbedding(size=2, features=8, extra_tokens=1, token_positions=2),
        ValueError,
        "PatchEmbedding: token_positions=2 must be at most extra_tokens=1; patches have their own "
        "in position.",
    ),
    told(
        "BigramHash num_buckets",
        lambda: BigramHash(num_buckets=0, features=8),
        ValueError,
        "BigramHash: num_buckets=0 must be at least 2.",
    ),
    told(
        "Encoder stack",
        lambda: Encoder(embed=None, stack=None),
        TypeError,
        "Encoder: field `stack`",
        "expected: Module",
    ),
    told(
        "SinusoidalPositions offset",
        lambda: SinusoidalPositions(offset=-2),
        ValueError,
        "SinusoidalPositions: offset=-2 must be at least 0, the first position.",
    ),
    told(
        "SinusoidalPositions max_wavelength",
        lambda: SinusoidalPositions(max_wavelength="1e4"),
        TypeError,
        "SinusoidalPositions: field `max_wavelength`",
        "write 10000.0, without quotes",
    ),
    mistake(
        "CausalLM embed",
        lambda: CausalLM(),
        TypeError,
        "CausalLM: the field `embed` is missing; write CausalLM(embed=..., stack=..., norm=..., "
        "head=...).",
    ),
)
