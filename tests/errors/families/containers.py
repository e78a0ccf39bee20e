"""Mistakes with containers: streams, skips and several tokens."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import (
    ATTEND,
    ODD,
    SUBLAYERS,
    TOKENS,
    WHOLE,
    X,
    layer,
    mistake,
    model,
    norm,
    shapes,
    stack,
)

from blocks import (
    MLP,
    Context,
    HyperConnections,
    LayerNorm,
    MultiTokenLM,
    ResiDual,
    SkipStack,
    Streams,
)

HYPER = HyperConnections(num_streams=2)
streaming = stack(block=layer(residual=HYPER))
dual = stack(block=layer(residual=ResiDual()))

CASES = (
    mistake(
        "Streams without streams",
        lambda: Streams(stack=stack()),
        ValueError,
        "Streams: no layer of stack carries more than one stream; give its blocks a "
        "residual=HyperConnections(...), or leave Streams out.",
    ),
    mistake(
        "Streams of different layers",
        lambda: Streams(
            stack=stack(
                block=(
                    layer(residual=HYPER),
                    layer(residual=HyperConnections(num_streams=3)),
                )
            )
        ),
        ValueError,
        "Streams: stack.block_0.residual=HyperConnections(num_streams=2) and "
        "stack.block_1.residual=HyperConnections(num_streams=3) differ in the streams that they "
        "carry, 2 and 3; use one for all.",
    ),
    mistake(
        "Streams in streams",
        lambda: Streams(stack=Streams(stack=streaming)),
        ValueError,
        "Streams: stack holds a Streams already, which would carry streams of streams; leave one "
        "of the two out.",
    ),
    mistake(
        "Streams no norm",
        lambda: Streams(stack=dual),
        ValueError,
        "Streams: norm=None leaves no norm for the sum of ResiDual(); give one, as "
        "norm=LayerNorm().",
    ),
    mistake(
        "Streams norm",
        lambda: Streams(stack=streaming, norm=LayerNorm()),
        ValueError,
        "Streams: norm=LayerNorm() is not used by HyperConnections(num_streams=2); leave it out, "
        "and give the model its last norm.",
    ),
    mistake(
        "Streams heads",
        lambda: shapes(Streams(stack=stack(block=layer(attention=ODD, residual=HYPER))), X),
        ValueError,
        "MultiHeadAttention at `stack.layer_0.attention`: num_heads=3 must divide embed=8; use 1, "
        "2, 4 or 8, or give head_dim.",
    ),
    mistake(
        "HyperConnections num_streams",
        lambda: HyperConnections(num_streams=1),
        ValueError,
        "HyperConnections: num_streams=1 must be at least 2; PreNorm carries one.",
    ),
    mistake(
        "HyperConnections outside of streams",
        lambda: shapes(model(stack=stack(block=layer(residual=HYPER))), TOKENS),
        ValueError,
        "HyperConnections at `stack.layer_0.residual`: HyperConnections(num_streams=2) carries 2 "
        "streams from layer to layer, and the call has 1; put the layers into Streams(stack=...).",
    ),
    mistake(
        "HyperConnections width",
        lambda: shapes(HYPER, X[..., :7], SUBLAYERS, norm, Context(streams=2)),
        ValueError,
        "HyperConnections: width=7 of `x` does not hold 2 streams side by side; leave them to "
        "Streams(stack=...), which makes them.",
    ),
    mistake(
        "HyperConnections rank",
        lambda: shapes(HYPER, X[0], SUBLAYERS, norm, Context(streams=2)),
        TypeError,
        "HyperConnections: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq width']",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "ResiDual outside of streams",
        lambda: shapes(dual, X),
        ValueError,
        "ResiDual at `layer_0.residual`: ResiDual() carries 2 streams from layer to layer, and the "
        "call has 1; put the layers into Streams(stack=...).",
    ),
    mistake(
        "ResiDual dtype",
        lambda: shapes(ResiDual(), WHOLE, SUBLAYERS, norm, Context(streams=2)),
        TypeError,
        "ResiDual: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq width']",
        "  actual:   i32[2,3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "Context streams",
        lambda: Context(streams=0),
        ValueError,
        "Context: streams=0 must be a whole number, at least 1; Streams sets it.",
    ),
    mistake(
        "SkipStack depth",
        lambda: SkipStack(block=layer(), depth=1),
        ValueError,
        "SkipStack: depth=1 must be at least 2, one layer for each half.",
    ),
    mistake(
        "SkipStack no layer",
        lambda: SkipStack(block=(), depth=2),
        ValueError,
        "SkipStack: block=() holds no layer; give at least one.",
    ),
    mistake(
        "SkipStack scan",
        lambda: SkipStack(block=layer(), depth=2, scan=True),
        TypeError,
        "SkipStack: no field `scan`; there are block, depth, remat, param_dtype, weight_init.",
    ),
    mistake(
        "SkipStack heads",
        lambda: shapes(SkipStack(block=layer(attention=ODD), depth=2), X),
        ValueError,
        "MultiHeadAttention at `layer_0.attention`: num_heads=3 must divide embed=8; use 1, 2, 4 "
        "or 8, or give head_dim.",
    ),
    mistake(
        "MultiTokenLM depth",
        lambda: MultiTokenLM(model=model(), block=layer(), depth=0),
        ValueError,
        "MultiTokenLM: depth=0 must be at least 1; without, use the model alone.",
    ),
    mistake(
        "MultiTokenLM block",
        lambda: MultiTokenLM(model=model(), block=layer(attention=ATTEND)),
        ValueError,
        "MultiTokenLM: block.attention can see ahead (mask=None), which a MultiTokenLM must not; "
        "use mask=Causal(), or `Causal() & ...`.",
    ),
    mistake(
        "MultiTokenLM model",
        lambda: MultiTokenLM(model=MLP(hidden=4), block=layer()),
        TypeError,
        "MultiTokenLM: field `model` cannot hold this",
        "  expected: CausalLM",
        "  actual:   MLP(hidden=4)",
    ),
    mistake(
        "MultiTokenLM cache",
        lambda: shapes(MultiTokenLM(model=model(), block=layer()), TOKENS, Context(cache_size=4)),
        ValueError,
        "MultiTokenLM: cache_size=4: a MultiTokenLM reads whole sequences and keeps no cache; "
        'decode with its `model` and the parameters under "model".',
    ),
    mistake(
        "MultiTokenLM rank",
        lambda: shapes(MultiTokenLM(model=model(), block=layer()), TOKENS[0]),
        TypeError,
        "MultiTokenLM: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   i32[3]",
        "  fix:      add the batch axis: tokens[None]",
    ),
    mistake(
        "MultiTokenLM one-hot",
        lambda: shapes(MultiTokenLM(model=model(), block=layer()), X),
        TypeError,
        "MultiTokenLM: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   f32[2,3,8]",
        "  fix:      it looks one-hot; give the ids, jnp.argmax(tokens, axis=-1)",
    ),
    mistake(
        "MultiTokenLM swapped",
        lambda: shapes(MultiTokenLM(model=model(), block=layer()), Context(), TOKENS),
        TypeError,
        "MultiTokenLM: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   Context()",
        "  fix:      they are swapped: `tokens` comes before `context`",
    ),
    mistake(
        "MultiTokenLM heads",
        lambda: shapes(MultiTokenLM(model=model(), block=layer(attention=ODD)), TOKENS),
        ValueError,
        "MultiHeadAttention at `ahead_1.block.attention`: num_heads=3 must divide embed=8; use 1, "
        "2, 4 or 8, or give head_dim.",
    ),
)
