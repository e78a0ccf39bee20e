"""Mistakes in mixtures of experts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, on, told

from blocks import GatedMLP, MixtureOfExperts, SoftmaxRouter

CASES = (
    told(
        "MixtureOfExperts width of experts",
        lambda: on(
            MixtureOfExperts(
                router=SoftmaxRouter(num_experts=2, top_k=1), expert=GatedMLP(hidden=4)
            ),
            (X,),
            X,
            made=MixtureOfExperts(
                router=SoftmaxRouter(num_experts=2, top_k=1), expert=GatedMLP(hidden=6)
            ),
        ),
        TypeError,
        "Linear at `experts.gate`: argument `x` does not fit the parameter `kernel`",
        "expected: an input for kernel of shape (8, 6), as it was made",
    ),
)
