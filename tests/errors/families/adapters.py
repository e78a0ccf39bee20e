"""Mistakes with adapters."""


# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import flax.linen as nn
from errors.case import (
    ATTEND,
    CAUSAL,
    ODD,
    X,
    layer,
    on,
    shapes,
    stack,
    told,
)

from blocks import (
    MLP,
    LoRA,
    MultiHeadAttention,
    Plain,
    replace,
)

CASES = (
    told(
        "LoRA alpha",
        lambda: LoRA(block=ATTEND, alpha=0.0),
        ValueError,
        "LoRA: alpha=0.0 must be positive.",
    ),
    told(
        "LoRA no targets",
        lambda: LoRA(block=ATTEND, targets=()),
        ValueError,
        "LoRA: targets=() adapts nothing",
    ),
    told(
        "LoRA one target",
        lambda: LoRA(block=ATTEND, targets="query"),
        TypeError,
        "LoRA: field `targets`",
        "write it as a tuple, (...,)",
    ),
    told(
        "LoRA misspelt target",
        lambda: shapes(LoRA(block=ATTEND, targets=("qury",)), X),
        ValueError,
        "LoRA: targets=('qury',): no linear map of MultiHeadAttention is named `qury`",
    ),
    told(
        "LoRA targets of another block",
        lambda: shapes(LoRA(block=MLP(hidden=4)), X),
        ValueError,
        "LoRA: targets=('query', 'value'): no linear map of MLP is named `query`",
    ),
    told(
        "LoRA at a path",
        lambda: shapes(replace(stack(), MLP, lambda old: LoRA(block=old, targets=("gate",))), X),
        ValueError,
        "LoRA at `layer_0.mlp`: targets=('gate',): no linear map of MLP is named `gate`",
    ),
    told(
        "LoRA twice",
        lambda: LoRA(block=LoRA(block=ATTEND)),
        ValueError,
        "LoRA: targets=('query', 'value'): the adapter at `block` changes query, value already",
    ),
    told(
        "LoRA class",
        lambda: LoRA(block=MultiHeadAttention),
        TypeError,
        "LoRA: field `block`",
        "it is the class; write MultiHeadAttention(...)",
    ),
    told(
        "LoRA heads",
        lambda: shapes(layer(attention=LoRA(block=ODD)), X),
        ValueError,
        "MultiHeadAttention at `attention`: num_heads=3 must divide embed=8",
    ),
    told(
        "LoRA weights of the block alone",
        lambda: on(LoRA(block=CAUSAL), (X,), X, made=CAUSAL),
        ValueError,
        "Linear at `query`: no parameter `lora_a` among the variables of this call",
        "an adapter has parameters of its own",
    ),
    told(
        "Plain needed in a slot",
        lambda: layer(mlp=nn.Dense(8)),
        TypeError,
        "TransformerBlock: field `mlp`",
        "Plain(block=Dense(...)) calls a module with `x` alone",
    ),
    told(
        "Plain block",
        lambda: Plain(block=8),
        TypeError,
        "Plain: field `block`",
        "expected: Module",
    ),
)
