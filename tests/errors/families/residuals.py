"""Mistakes in calls of residual layouts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, layer, shapes, stack, told

from blocks import Parallel
from blocks.residual import AdaptiveNormZero, Canon, ScaledResidual, WithoutNorm, X0Mix

CASES = (
    told(
        "AdaptiveNormZero no condition",
        lambda: shapes(stack(block=layer(residual=AdaptiveNormZero())), X),
        ValueError,
        "AdaptiveNormZero at `layer_0.residual`: AdaptiveNormZero is steered by a condition",
    ),
    told(
        "X0Mix no first",
        lambda: shapes(layer(residual=X0Mix()), X),
        ValueError,
        "X0Mix at `residual`: X0Mix mixes in the first embedding",
    ),
    told(
        "ScaledResidual no factor",
        lambda: ScaledResidual(scale=0.0),
        ValueError,
        "ScaledResidual: scale=0.0 must be positive; Granite has 0.22",
    ),
    told(
        "Canon no names",
        lambda: Canon(sublayers=()),
        ValueError,
        "Canon: sublayers=() lets no sublayer hear; leave it out for all of them, or use PreNorm()",
    ),
    told(
        "Canon unknown name",
        lambda: shapes(layer(residual=Canon(sublayers=("mlp", "attn"))), X),
        ValueError,
        "Canon at `residual`: sublayers=('mlp', 'attn'): this block has no sublayer 'attn'",
        "did you mean `attention`?",
    ),
    told(
        "WithoutNorm no names",
        lambda: WithoutNorm(sublayers=()),
        ValueError,
        "WithoutNorm: sublayers=() leaves out no norm; name some",
    ),
    told(
        "WithoutNorm one norm for all",
        lambda: shapes(
            layer(residual=WithoutNorm(residual=Parallel(), sublayers=("attention",))), X
        ),
        ValueError,
        "WithoutNorm at `residual`: sublayers=('attention',): Parallel() creates no norm",
        "for 'attention' among the sublayers ['attention', 'mlp']",
    ),
)
