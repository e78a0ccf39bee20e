"""Mistakes in mixtures of experts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import TOKENS, WHOLE, WIDE, X, mistake, on, shapes

from blocks import GatedExperts, MixtureOfExperts, SigmoidRouter, SoftmaxRouter

CASES = (
    mistake(
        "MixtureOfExperts rank",
        lambda: shapes(
            MixtureOfExperts(
                router=SoftmaxRouter(num_experts=2, top_k=1),
                experts=GatedExperts(num_experts=2, hidden=4),
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
                experts=GatedExperts(num_experts=2, hidden=4),
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
                experts=GatedExperts(num_experts=2, hidden=4),
            ),
            (X,),
            WIDE,
        ),
        TypeError,
        "Linear at `router.logits`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2), as it was made",
        "  actual:   f32[6,16], which asks for kernel of shape (16, 2)",
    ),
    mistake(
        "SoftmaxRouter rank",
        lambda: shapes(SoftmaxRouter(num_experts=2, top_k=1), X),
        TypeError,
        "SoftmaxRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, 'tokens embed']",
        "  actual:   f32[2,3,8]",
        "  fix:      one row per token: x.reshape(-1, x.shape[-1])",
    ),
    mistake(
        "SoftmaxRouter dtype",
        lambda: shapes(SoftmaxRouter(num_experts=2, top_k=1), WHOLE[0]),
        TypeError,
        "SoftmaxRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, 'tokens embed']",
        "  actual:   i32[3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "SigmoidRouter rank",
        lambda: shapes(SigmoidRouter(num_experts=2, top_k=1), X),
        TypeError,
        "SigmoidRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, 'tokens embed']",
        "  actual:   f32[2,3,8]",
        "  fix:      one row per token: x.reshape(-1, x.shape[-1])",
    ),
    mistake(
        "SigmoidRouter dtype",
        lambda: shapes(SigmoidRouter(num_experts=2, top_k=1), WHOLE[0]),
        TypeError,
        "SigmoidRouter: argument `x` does not fit its signature",
        "  expected: Float[Array, 'tokens embed']",
        "  actual:   i32[3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "GatedExperts rank",
        lambda: shapes(GatedExperts(num_experts=2, hidden=4), X, TOKENS[0]),
        TypeError,
        "GatedExperts: argument `x` does not fit its signature",
        "  expected: Float[Array, 'rows embed']",
        "  actual:   f32[2,3,8]",
        "  fix:      one row per token: x.reshape(-1, x.shape[-1])",
    ),
    mistake(
        "GatedExperts swapped",
        lambda: shapes(GatedExperts(num_experts=2, hidden=4), TOKENS[0], X[0]),
        TypeError,
        "GatedExperts: argument `x` does not fit its signature",
        "  expected: Float[Array, 'rows embed']",
        "  actual:   i32[3]",
        "  fix:      they are swapped: `x` comes before `experts`",
    ),
    mistake(
        "GatedExperts rows",
        lambda: shapes(GatedExperts(num_experts=2, hidden=4), X[0], TOKENS[:, 0]),
        TypeError,
        "GatedExperts: argument `experts` does not fit its signature",
        "  expected: Int[Array, 'rows']",
        "  actual:   i32[2]",
        "  with:     rows=3, embed=8 (bound by the arguments before it)",
    ),
    mistake(
        "GatedExperts dtype of experts",
        lambda: shapes(GatedExperts(num_experts=2, hidden=4), X[0], X[0, :, 0]),
        TypeError,
        "GatedExperts: argument `experts` does not fit its signature",
        "  expected: Int[Array, 'rows']",
        "  actual:   f32[3]",
        "  with:     rows=3, embed=8 (bound by the arguments before it)",
        "  fix:      give whole numbers: experts.astype(jnp.int32)",
    ),
)
