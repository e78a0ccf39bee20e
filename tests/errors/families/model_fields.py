"""Mistakes in the fields of embeddings, heads, positions and models."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import mistake, told

from blocks import (
    CausalLM,
    ClassifierHead,
    ConvolutionStem,
    Encoder,
    FactorizedEmbedding,
    GridPositions,
    LearnedPositions,
    LMHead,
    MaskedLMHead,
    MeanPool,
    PatchEmbedding,
    SinusoidalPositions,
    TokenEmbedding,
    TokenTypes,
)
from blocks.embeddings import BigramHash
from blocks.heads import AttentionPool, FirstToken, PooledHead, ProjectedHead, ValueHead
from blocks.positions import SinusoidalGrid

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
    told(
        "ClassifierHead num_classes",
        lambda: ClassifierHead(num_classes=0),
        ValueError,
        "ClassifierHead: num_classes=0 must be at least 1.",
    ),
    told(
        "LearnedPositions max_length",
        lambda: LearnedPositions(max_length=0),
        ValueError,
        "LearnedPositions: max_length=0 must be at least 1.",
    ),
    mistake(
        "TokenEmbedding vocab_size",
        lambda: TokenEmbedding(vocab_size=0, features=8),
        ValueError,
        "TokenEmbedding: vocab_size=0 must be at least 1.",
    ),
    told(
        "PatchEmbedding size 2",
        lambda: PatchEmbedding(size=0, features=8),
        ValueError,
        "PatchEmbedding: size=0 must be at least 1.",
    ),
    told(
        "PatchEmbedding token_positions",
        lambda: PatchEmbedding(size=2, features=8, extra_tokens=1, token_positions=2),
        ValueError,
        "PatchEmbedding: token_positions=2 must be at most extra_tokens=1; patches have their own "
        "in position.",
    ),
    told(
        "GridPositions rows",
        lambda: GridPositions(rows=0, columns=1),
        ValueError,
        "GridPositions: rows=0 must be at least 1.",
    ),
    told(
        "BigramHash num_buckets",
        lambda: BigramHash(num_buckets=0, features=8),
        ValueError,
        "BigramHash: num_buckets=0 must be at least 2.",
    ),
    told(
        "TokenTypes num_types",
        lambda: TokenTypes(num_types=0, features=8),
        ValueError,
        "TokenTypes: num_types=0 must be at least 1.",
    ),
    told(
        "FactorizedEmbedding features",
        lambda: FactorizedEmbedding(embed=TokenEmbedding(vocab_size=5, features=8), features=0),
        ValueError,
        "FactorizedEmbedding: features=0 must be at least 1",
    ),
    told(
        "MaskedLMHead features",
        lambda: MaskedLMHead(head=LMHead(tied=True), features=0),
        ValueError,
        "MaskedLMHead: features=0 must be at least 1",
    ),
    told(
        "ProjectedHead features",
        lambda: ProjectedHead(head=LMHead(tied=True), features=0),
        ValueError,
        "ProjectedHead: features=0 must be at least 1",
    ),
    told(
        "ConvolutionStem features",
        lambda: ConvolutionStem(features=0),
        ValueError,
        "ConvolutionStem: features=0 must be at least 1.",
    ),
    told(
        "SinusoidalGrid max_wavelength",
        lambda: SinusoidalGrid(max_wavelength=0.0),
        ValueError,
        "SinusoidalGrid: max_wavelength=0.0 must be positive.",
    ),
    told(
        "Encoder stack",
        lambda: Encoder(embed=None, stack=None),
        TypeError,
        "Encoder: field `stack`",
        "expected: Module",
    ),
    told(
        "AttentionPool query_init",
        lambda: AttentionPool(query_init=0.02),
        TypeError,
        "AttentionPool: field `query_init`",
        "expected: an initialiser, a function of key, shape and dtype, as Normal(0.02)",
    ),
    told(
        "MeanPool axis",
        lambda: MeanPool(axis=1),
        TypeError,
        "MeanPool: no field `axis`",
    ),
    told(
        "FirstToken index",
        lambda: FirstToken(index=0),
        TypeError,
        "FirstToken: no field `index`",
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
    told(
        "ValueHead features",
        lambda: ValueHead(features=1),
        TypeError,
        "ValueHead: no field `features`",
    ),
    told(
        "MaskedLMHead head",
        lambda: MaskedLMHead(head=LMHead),
        TypeError,
        "MaskedLMHead: field `head`",
        "it is the class; write LMHead(...)",
    ),
    mistake(
        "CausalLM embed",
        lambda: CausalLM(),
        TypeError,
        "CausalLM: the field `embed` is missing; write CausalLM(embed=..., stack=..., norm=..., "
        "head=...).",
    ),
)
