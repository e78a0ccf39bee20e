"""Mistakes in the fields of layers, stacks and residual layouts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import CAUSAL, layer, mistake, told

from blocks import MLP, LayerNorm, LayerScale, ParallelNorms, PreNorm, Stack, TransformerBlock
from blocks.residual import AdaptiveNormZero, DeepNorm, ReZero, StochasticDepth, X0Mix

CASES = (
    mistake(
        "TransformerBlock mlp",
        lambda: TransformerBlock(attention=CAUSAL, mlp=MLP),
        TypeError,
        "TransformerBlock: field `mlp` cannot hold this",
        "  expected: Module",
        "  actual:   MLP",
        "  fix:      it is the class; write MLP(...)",
    ),
    mistake(
        "TransformerBlock residual",
        lambda: TransformerBlock(attention=CAUSAL, mlp=MLP(hidden=4), residual="prenorm"),
        TypeError,
        "TransformerBlock: field `residual` cannot hold this",
        "  expected: Residual",
        "  actual:   'prenorm'",
        "  fix:      write PreNorm(...), a value instead of its name",
    ),
    mistake(
        "TransformerBlock dropout_rate",
        lambda: TransformerBlock(attention=CAUSAL, mlp=MLP(hidden=4), dropout_rate=2.0),
        ValueError,
        "TransformerBlock: dropout_rate=2.0 must be at least 0 and below 1.",
    ),
    mistake(
        "Stack depth",
        lambda: Stack(block=layer(), depth=0),
        ValueError,
        "Stack: depth=0 must be at least 1.",
    ),
    mistake(
        "Stack depth 2",
        lambda: Stack(block=(layer(), layer()), depth=3, scan=True),
        ValueError,
        (
            "Stack: depth=3 must be a multiple of the pattern's 2 blocks to scan; use 2, or"
            " scan=False."
        ),
    ),
    mistake(
        "Stack block",
        lambda: Stack(block=(), depth=3),
        ValueError,
        "Stack: block=() holds no layer; give at least one.",
    ),
    mistake(
        "Stack block 2",
        lambda: Stack(block=layer, depth=3),
        TypeError,
        "Stack: field `block` cannot hold this",
        "  expected: Module | tuple[Module, ...]",
        "  actual:   layer",
        "  fix:      call it, if it makes what is expected: layer(...)",
    ),
    told(
        "StochasticDepth rate",
        lambda: StochasticDepth(rate=1.0),
        ValueError,
        "StochasticDepth: rate=1.0 must be at least 0 and below 1.",
    ),
    told(
        "DeepNorm depth",
        lambda: DeepNorm(depth=0),
        ValueError,
        "DeepNorm: depth=0 must be at least 1, the layers of the stack.",
    ),
    mistake(
        "Stack depth 3",
        lambda: Stack(block=[layer()], depth=True),
        TypeError,
        "Stack: field `depth` cannot hold this",
        "  expected: int",
        "  actual:   True",
        "  fix:      write 1",
    ),
    told(
        "ParallelNorms norm",
        lambda: ParallelNorms(norm=LayerNorm()),
        TypeError,
        "ParallelNorms: no field `norm`",
    ),
    told(
        "ReZero weight_init",
        lambda: ReZero(weight_init=0.0),
        TypeError,
        "ReZero: field `weight_init`",
        "expected: an initialiser, a function of key, shape and dtype, as Normal(0.02)",
    ),
    told(
        "LayerScale scale_init",
        lambda: LayerScale(scale_init=1e-5),
        TypeError,
        "LayerScale: field `scale_init`",
        "expected: an initialiser, a function of key, shape and dtype, as Normal(0.02)",
    ),
    told(
        "AdaptiveNormZero kernel_init",
        lambda: AdaptiveNormZero(kernel_init="zeros"),
        TypeError,
        "AdaptiveNormZero: field `kernel_init`",
        "expected: an initialiser, a function of key, shape and dtype, as Normal(0.02)",
    ),
    told(
        "X0Mix residual",
        lambda: X0Mix(residual=PreNorm),
        TypeError,
        "X0Mix: field `residual`",
        "it is the class; write PreNorm(...)",
    ),
    told(
        "PreNorm norm",
        lambda: PreNorm(norm=LayerNorm()),
        TypeError,
        "PreNorm: no field `norm`",
    ),
)
