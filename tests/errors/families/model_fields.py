"""Mistakes in the fields of embeddings, heads, positions and models."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import mistake

from blocks import (
    AttentionPool,
    BigramHash,
    CausalLM,
    ClassifierHead,
    ConvolutionStem,
    Encoder,
    FactorizedEmbedding,
    FirstToken,
    GridPositions,
    LastToken,
    LearnedPositions,
    LMHead,
    MaskedLMHead,
    MeanPool,
    PatchEmbedding,
    SinusoidalGrid,
    SinusoidalPositions,
    TokenEmbedding,
    TokenTypes,
    ValueHead,
)

CASES = (
    mistake(
        "LMHead vocab_size",
        lambda: LMHead(),
        ValueError,
        "LMHead: vocab_size=None must be at least 1; give it, or tied=True.",
    ),
    mistake(
        "LMHead vocab_size 2",
        lambda: LMHead(vocab_size=5, tied=True),
        ValueError,
        (
            "LMHead: vocab_size=5 contradicts tied=True, which takes the size of the "
            "embedding's table; drop one of the two."
        ),
    ),
    mistake(
        "LMHead tied",
        lambda: LMHead(tied=1),
        TypeError,
        "LMHead: field `tied` cannot hold this",
        "  expected: bool",
        "  actual:   1",
        "  fix:      write True",
    ),
    mistake(
        "LMHead logit_cap",
        lambda: LMHead(vocab_size=5, logit_cap=0.0),
        ValueError,
        "LMHead: logit_cap=0.0 must be positive, or None for no bound.",
    ),
    mistake(
        "ClassifierHead num_classes",
        lambda: ClassifierHead(num_classes=0),
        ValueError,
        "ClassifierHead: num_classes=0 must be at least 1.",
    ),
    mistake(
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
    mistake(
        "PatchEmbedding size 2",
        lambda: PatchEmbedding(size=0, features=8),
        ValueError,
        "PatchEmbedding: size=0 must be at least 1.",
    ),
    mistake(
        "GridPositions rows",
        lambda: GridPositions(rows=0, columns=1),
        ValueError,
        "GridPositions: rows=0 must be at least 1.",
    ),
    mistake(
        "BigramHash num_buckets",
        lambda: BigramHash(num_buckets=0, features=8),
        ValueError,
        "BigramHash: num_buckets=0 must be at least 2.",
    ),
    mistake(
        "TokenTypes num_types",
        lambda: TokenTypes(num_types=0, features=8),
        ValueError,
        "TokenTypes: num_types=0 must be at least 1.",
    ),
    mistake(
        "FactorizedEmbedding inner",
        lambda: FactorizedEmbedding(vocab_size=5, features=8, inner=0),
        ValueError,
        "FactorizedEmbedding: inner=0 must be at least 1; ALBERT has 128.",
    ),
    mistake(
        "ConvolutionStem features",
        lambda: ConvolutionStem(features=0),
        ValueError,
        "ConvolutionStem: features=0 must be at least 1.",
    ),
    mistake(
        "SinusoidalGrid max_wavelength",
        lambda: SinusoidalGrid(max_wavelength=0.0),
        ValueError,
        "SinusoidalGrid: max_wavelength=0.0 must be positive.",
    ),
    mistake(
        "Encoder stack",
        lambda: Encoder(embed=None, stack=None),
        TypeError,
        "Encoder: field `stack` cannot hold this",
        "  expected: Module",
        "  actual:   None",
    ),
    mistake(
        "AttentionPool query_init",
        lambda: AttentionPool(query_init=0.02),
        TypeError,
        "AttentionPool: field `query_init` cannot hold this",
        "  expected: Callable[..., Array]",
        "  actual:   0.02",
        "  fix:      pass an initialiser, as Normal(0.02)",
    ),
    mistake(
        "MeanPool axis",
        lambda: MeanPool(axis=1),
        TypeError,
        "MeanPool: no field `axis`; there is none.",
    ),
    mistake(
        "FirstToken index",
        lambda: FirstToken(index=0),
        TypeError,
        "FirstToken: no field `index`; there is none.",
    ),
    mistake(
        "LastToken names",
        lambda: LastToken(1),
        TypeError,
        "LastToken: fields are given by name; write LastToken().",
    ),
    mistake(
        "SinusoidalPositions max_wavelength",
        lambda: SinusoidalPositions(max_wavelength="1e4"),
        TypeError,
        "SinusoidalPositions: field `max_wavelength` cannot hold this",
        "  expected: float",
        "  actual:   '1e4'",
        "  fix:      write 10000.0, without quotes",
    ),
    mistake(
        "ValueHead features",
        lambda: ValueHead(features=1),
        TypeError,
        "ValueHead: no field `features`; there are dtype, param_dtype, kernel_init.",
    ),
    mistake(
        "MaskedLMHead head",
        lambda: MaskedLMHead(head=LMHead),
        TypeError,
        "MaskedLMHead: field `head` cannot hold this",
        "  expected: LMHead",
        "  actual:   LMHead",
        "  fix:      it is the class; write LMHead(...)",
    ),
    mistake(
        "CausalLM embed",
        lambda: CausalLM(),
        TypeError,
        "CausalLM: the field `embed` is missing; write CausalLM(embed=...).",
    ),
)
