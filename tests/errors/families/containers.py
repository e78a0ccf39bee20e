"""Mistakes with containers: streams, skips and several tokens."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import (
    ATTEND,
    ODD,
    TOKENS,
    X,
    layer,
    mistake,
    model,
    shapes,
    stack,
    told,
)

from blocks import MLP, Context, LayerNorm, MultiTokenLM, SkipStack
from blocks.residual import HyperConnections, ResiDual, Streams

HYPER = HyperConnections(num_streams=2)
streaming = stack(block=layer(residual=HYPER))
dual = stack(block=layer(residual=ResiDual()))

CASES = (
    told(
        "Streams without streams",
        lambda: Streams(stack=stack()),
        ValueError,
        "Streams: no layer of stack carries more than one stream",
    ),
    told(
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
        (
            "Streams: stack.block_0.residual=HyperConnections(num_streams=2) and "
            "stack.block_1.residual=HyperConnections(num_streams=3) differ in the streams"
        ),
    ),
    told(
        "Streams in streams",
        lambda: Streams(stack=Streams(stack=streaming)),
        ValueError,
        "Streams: stack holds a Streams already, which would carry streams of streams",
    ),
    told(
        "Streams no norm",
        lambda: Streams(stack=dual),
        ValueError,
        "Streams: norm=None leaves no norm for the sum of ResiDual()",
    ),
    told(
        "Streams norm",
        lambda: Streams(stack=streaming, norm=LayerNorm()),
        ValueError,
        "Streams: norm=LayerNorm() is not used by HyperConnections(num_streams=2)",
    ),
    told(
        "Streams heads",
        lambda: shapes(Streams(stack=stack(block=layer(attention=ODD, residual=HYPER))), X),
        ValueError,
        "MultiHeadAttention at `stack.layer_0.attention`: num_heads=3 must divide embed=8",
    ),
    told(
        "HyperConnections num_streams",
        lambda: HyperConnections(num_streams=1),
        ValueError,
        "HyperConnections: num_streams=1 must be at least 2",
    ),
    told(
        "HyperConnections outside of streams",
        lambda: shapes(model(stack=stack(block=layer(residual=HYPER))), TOKENS),
        ValueError,
        (
            "HyperConnections at `stack.layer_0.residual`: HyperConnections(num_streams=2) "
            "carries 2 streams from layer to layer, and the call has 1"
        ),
    ),
    told(
        "ResiDual outside of streams",
        lambda: shapes(dual, X),
        ValueError,
        (
            "ResiDual at `layer_0.residual`: ResiDual() carries 2 streams from layer to layer, "
            "and the call has 1"
        ),
    ),
    mistake(
        "Context streams",
        lambda: Context(streams=0),
        ValueError,
        "Context: streams=0 must be a whole number, at least 1; Streams sets it.",
    ),
    told(
        "SkipStack depth",
        lambda: SkipStack(block=layer(), depth=1),
        ValueError,
        "SkipStack: depth=1 must be at least 2, one layer for each half.",
    ),
    told(
        "SkipStack no layer",
        lambda: SkipStack(block=(), depth=2),
        ValueError,
        "SkipStack: block=() holds no layer",
    ),
    told(
        "SkipStack scan",
        lambda: SkipStack(block=layer(), depth=2, scan=True),
        TypeError,
        "SkipStack: no field `scan`",
    ),
    told(
        "SkipStack heads",
        lambda: shapes(SkipStack(block=layer(attention=ODD), depth=2), X),
        ValueError,
        "MultiHeadAttention at `layer_0.attention`: num_heads=3 must divide embed=8",
    ),
    told(
        "MultiTokenLM depth",
        lambda: MultiTokenLM(model=model(), block=layer(), depth=0),
        ValueError,
        "MultiTokenLM: depth=0 must be at least 1",
    ),
    told(
        "MultiTokenLM block",
        lambda: MultiTokenLM(model=model(), block=layer(attention=ATTEND)),
        ValueError,
        "MultiTokenLM: block.attention can see ahead (mask=None), which a MultiTokenLM must not",
    ),
    told(
        "MultiTokenLM model",
        lambda: MultiTokenLM(model=MLP(hidden=4), block=layer()),
        TypeError,
        "MultiTokenLM: model=MLP(hidden=4) has no method `logits`",
        "give a CausalLM.",
    ),
    told(
        "MultiTokenLM cache",
        lambda: shapes(MultiTokenLM(model=model(), block=layer()), TOKENS, Context(cache_size=4)),
        ValueError,
        "MultiTokenLM: cache_size=4: a MultiTokenLM reads whole sequences and keeps no cache",
    ),
    told(
        "MultiTokenLM heads",
        lambda: shapes(MultiTokenLM(model=model(), block=layer(attention=ODD)), TOKENS),
        ValueError,
        "MultiHeadAttention at `ahead_1.block.attention`: num_heads=3 must divide embed=8",
    ),
)
