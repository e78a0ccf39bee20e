"""Mistakes in calls of residual layouts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, layer, shapes, stack, told

from blocks.residual import AdaptiveNormZero, X0Mix

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
)
