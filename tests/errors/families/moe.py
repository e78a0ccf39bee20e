"""Mistakes in mixtures of experts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import WHOLE, WIDE, X, mistake, on, shapes

from blocks import GatedMLP, MixtureOfExperts, SigmoidRouter, SoftmaxRouter

CASES = (
    mistake(
        "MixtureOfExperts rank",
        lambda: shapes(
            MixtureOfExperts(
                router=SoftmaxRouter(num_experts=2, top_k=1),
                expert=GatedMLP(hidden=4),
            ),
            X[0, 0, 0],
        ),
        TypeError,
        "MixtureOfExperts: argument `x` does not fit its signature",
        "  expected: Float[Array, '*batch embed']",
        "  actual:   f32[]",
    ),
    mistake(
        "MixtureOfExperts dtype",
        lambda: shapes(
            MixtureOfExperts(
                router=SoftmaxRouter(num_experts=2, top_k=1),
                expert=GatedMLP(hidden=4),
            ),
            WHOLE,
        ),
        TypeError,
        "MixtureOfExperts: argument `x` does not fit its signature",
        "  expected: Float[Array, '*batch embed']",
        "  actual:   i32[2,3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "MixtureOfExperts width",
        lambda: on(
            MixtureOfExperts(
                router=SoftmaxRouter(num_experts=2, top_k=1),
                expert=GatedMLP(hidden=4),
            ),
            (X,),
            WIDE,
        ),
        TypeError,
        "Linear at `router.logits`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2), as it was made",
        "  actual:   f32[2,3,16], which asks for kernel of shape (16, 2)",
    ),
    mistake(
        "SoftmaxRouter rank",
        lambda: shapes(SoftmaxRouter(num_experts=2, top_k=1), X[0, 0, 0]),
        TypeError,
        "SoftmaxRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, '*batch embed']",
        "  actual:   f32[]",
    ),
    mistake(
        "SoftmaxRouter dtype",
        lambda: shapes(SoftmaxRouter(num_experts=2, top_k=1), WHOLE[0]),
        TypeError,
        "SoftmaxRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, '*batch embed']",
        "  actual:   i32[3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "SigmoidRouter rank",
        lambda: shapes(SigmoidRouter(num_experts=2, top_k=1), X[0, 0, 0]),
        TypeError,
        "SigmoidRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, '*batch embed']",
        "  actual:   f32[]",
    ),
    mistake(
        "SigmoidRouter dtype",
        lambda: shapes(SigmoidRouter(num_experts=2, top_k=1), WHOLE[0]),
        TypeError,
        "SigmoidRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, '*batch embed']",
        "  actual:   i32[3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
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
        "  expected: an input for kernel of shape (8, 6), as it was made",
        "  actual:   f32[8,8], which asks for kernel of shape (8, 4)",
    ),
)
