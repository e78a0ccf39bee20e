"""Mistakes in residual layouts, layers and stacks."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import ODD, WIDE, X, layer, mistake, on, shapes, stack

CASES = (
    mistake(
        "Stack width scanned",
        lambda: on(stack(scan=True), (X,), WIDE),
        TypeError,
        ("LayerNorm at `layers.attention_norm`: argument `x` does not fit the parameter `scale`"),
        "  expected: an input for scale of shape (8,), as it was made",
        "  actual:   f32[2,3,16], which asks for scale of shape (16,)",
    ),
    mistake(
        "Stack heads",
        lambda: shapes(stack(block=layer(attention=ODD)), X),
        ValueError,
        (
            "MultiHeadAttention at `layer_0.attention`: num_heads=3 must divide embed=8; "
            "use 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "Stack heads scanned",
        lambda: shapes(stack(block=layer(attention=ODD), scan=True), X),
        ValueError,
        (
            "MultiHeadAttention at `layers.attention`: num_heads=3 must divide embed=8; use"
            " 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "Stack heads recomputed",
        lambda: shapes(stack(block=layer(attention=ODD), remat=True), X),
        ValueError,
        (
            "MultiHeadAttention at `layer_0.attention`: num_heads=3 must divide embed=8; "
            "use 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "Stack heads recomputed in a scan",
        lambda: shapes(stack(block=layer(attention=ODD), scan=True, remat=True), X),
        ValueError,
        (
            "MultiHeadAttention at `layers.attention`: num_heads=3 must divide embed=8; use"
            " 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "Stack heads shared",
        lambda: shapes(stack(block=layer(attention=ODD), shared=True), X),
        ValueError,
        (
            "MultiHeadAttention at `layers.attention`: num_heads=3 must divide embed=8; use"
            " 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "Stack deeper than its parameters",
        lambda: on(stack(depth=2), (X,), X, made=stack(depth=1)),
        ValueError,
        (
            "LayerNorm at `layer_1.attention_norm`: no parameter `scale` among the variables of "
            "this call"
        ),
        (
            '  fix:      pass what init of this model returned, or {"params": params} where you '
            "kept those; an adapter has parameters of its own"
        ),
    ),
)
