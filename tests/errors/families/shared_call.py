"""Mistakes that all blocks called as (x, context, deterministic) tell in the same words."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from collections.abc import Iterator

import flax.linen as nn
from errors.case import (
    TOKENS,
    VALID,
    WHOLE,
    Case,
    X,
    layer,
    mistake,
    shapes,
)

from blocks import (
    Causal,
    Context,
    DifferentialAttention,
    GatedDeltaNet,
    Hedgehog,
    HedgehogDistillation,
    HyperConnections,
    LatentAttention,
    LinearAttention,
    SkipStack,
    Streams,
    TalkingHeadsAttention,
)

BLOCKS: dict[str, nn.Module] = {
    "TalkingHeadsAttention": TalkingHeadsAttention(num_heads=2),
    "DifferentialAttention": DifferentialAttention(num_heads=2, layer=1),
    "LatentAttention": LatentAttention(num_heads=2, head_dim=4, rope_dim=2, kv_rank=4),
    "LinearAttention": LinearAttention(num_heads=2),
    "HedgehogDistillation": HedgehogDistillation(num_heads=2, feature_map=Hedgehog()),
    "GatedDeltaNet": GatedDeltaNet(num_heads=2),
    "Streams": Streams(stack=layer(residual=HyperConnections(num_streams=2))),
    "SkipStack": SkipStack(block=layer(), depth=2),
}


def of(name: str, block: nn.Module) -> Iterator[Case]:
    """The mistakes with one block; `name` stands in the messages."""
    told = f"{name}: argument `{{}}` does not fit its signature"
    x = (told.format("x"), "  expected: Float[Array, 'batch seq embed']")
    context = (told.format("context"), "  expected: Context | None")
    call = "call it as (x, context=None, deterministic=True)."
    yield mistake(
        f"{name} rank",
        lambda: shapes(block, X[0]),
        TypeError,
        *x,
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    )
    yield mistake(
        f"{name} dtype",
        lambda: shapes(block, WHOLE),
        TypeError,
        *x,
        "  actual:   i32[2,3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    )
    yield mistake(
        f"{name} tokens as x",
        lambda: shapes(block, TOKENS),
        TypeError,
        *x,
        "  actual:   i32[2,3]",
        "  fix:      it looks like token ids; embed them first, as TokenEmbedding does",
    )
    yield mistake(
        f"{name} swapped",
        lambda: shapes(block, Context(), X),
        TypeError,
        *x,
        "  actual:   Context()",
        "  fix:      they are swapped: `x` comes before `context`",
    )
    yield mistake(
        f"{name} padding as context",
        lambda: shapes(block, X, VALID),
        TypeError,
        *context,
        "  actual:   bool[2,3]",
        "  fix:      padding comes as Context(valid=...), True for real tokens",
    )
    yield mistake(
        f"{name} mask as context",
        lambda: shapes(block, X, Causal()),
        TypeError,
        *context,
        "  actual:   Causal()",
        "  fix:      a mask is a field of attention, mask=Causal(); it comes with no call",
    )
    yield mistake(
        f"{name} integer switch",
        lambda: shapes(block, X, None, 1),
        TypeError,
        told.format("deterministic"),
        "  expected: bool",
        "  actual:   1",
        "  fix:      write True",
    )
    yield mistake(
        f"{name} nothing",
        lambda: shapes(block),
        TypeError,
        f"{name}: argument `x` is missing; {call}",
    )
    yield mistake(
        f"{name} unknown argument",
        lambda: shapes(block, X, mask=Causal()),
        TypeError,
        f"{name}: got an unexpected keyword argument `mask`; {call}",
    )
    yield mistake(
        f"{name} variables second",
        lambda: block.apply(X, {"params": {}}),
        TypeError,
        f"{name}: argument `variables` of apply does not fit",
        "  expected: the collections that init returned",
        "  actual:   f32[2,3,8]",
        "  fix:      they are swapped: the variables come first, apply(variables, ...)",
    )


CASES = (*(case for name, block in BLOCKS.items() for case in of(name, block)),)
