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
    mistake,
    on,
    shapes,
    stack,
)

from blocks import (
    MLP,
    Causal,
    LoRA,
    MultiHeadAttention,
    Plain,
    replace,
)

CASES = (
    mistake(
        "LoRA rank of the change",
        lambda: LoRA(block=ATTEND, rank=0),
        ValueError,
        "LoRA: rank=0 must be at least 1.",
    ),
    mistake(
        "LoRA alpha",
        lambda: LoRA(block=ATTEND, alpha=0.0),
        ValueError,
        "LoRA: alpha=0.0 must be positive.",
    ),
    mistake(
        "LoRA no targets",
        lambda: LoRA(block=ATTEND, targets=()),
        ValueError,
        'LoRA: targets=() adapts nothing; name linear maps, as ("query", "value").',
    ),
    mistake(
        "LoRA one target",
        lambda: LoRA(block=ATTEND, targets="query"),
        TypeError,
        "LoRA: field `targets` cannot hold this",
        "  expected: tuple[str, ...]",
        "  actual:   'query'",
        "  fix:      write it as a tuple, (...,)",
    ),
    mistake(
        "LoRA misspelt target",
        lambda: shapes(LoRA(block=ATTEND, targets=("qury",)), X),
        ValueError,
        "LoRA: targets=('qury',): no linear map of MultiHeadAttention is named `qury`; did you "
        "mean `query`?",
    ),
    mistake(
        "LoRA targets of another block",
        lambda: shapes(LoRA(block=MLP(hidden=4)), X),
        ValueError,
        "LoRA: targets=('query', 'value'): no linear map of MLP is named `query`; it has "
        "['down', 'up'].",
    ),
    mistake(
        "LoRA at a path",
        lambda: shapes(replace(stack(), MLP, lambda old: LoRA(block=old, targets=("gate",))), X),
        ValueError,
        "LoRA at `layer_0.mlp`: targets=('gate',): no linear map of MLP is named `gate`; it has "
        "['down', 'up'].",
    ),
    mistake(
        "LoRA twice",
        lambda: LoRA(block=LoRA(block=ATTEND)),
        ValueError,
        "LoRA: targets=('query', 'value'): the adapter at `block` changes query, value already; "
        "leave them to one of the two.",
    ),
    mistake(
        "LoRA class",
        lambda: LoRA(block=MultiHeadAttention),
        TypeError,
        "LoRA: field `block` cannot hold this",
        "  expected: Module",
        "  actual:   MultiHeadAttention",
        "  fix:      it is the class; write MultiHeadAttention(...)",
    ),
    mistake(
        "LoRA rank",
        lambda: shapes(LoRA(block=ATTEND), X[0]),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "LoRA unknown argument",
        lambda: shapes(LoRA(block=ATTEND), X, mask=Causal()),
        TypeError,
        "MultiHeadAttention: got an unexpected keyword argument `mask`; call it as (x, "
        "context=None, deterministic=True).",
    ),
    mistake(
        "LoRA heads",
        lambda: shapes(layer(attention=LoRA(block=ODD)), X),
        ValueError,
        "MultiHeadAttention at `attention`: num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or "
        "give head_dim.",
    ),
    mistake(
        "LoRA weights of the block alone",
        lambda: on(LoRA(block=CAUSAL), (X,), X, made=CAUSAL),
        ValueError,
        "Linear at `query`: no parameter `lora_a` among the variables of this call",
        "  fix:      an adapter adds it: init the adapted block, and put the weights you have into "
        "what that returns",
    ),
    mistake(
        "Plain needed in a slot",
        lambda: layer(mlp=nn.Dense(8)),
        TypeError,
        "TransformerBlock: field `mlp` cannot hold this",
        "  expected: a block called as mlp(x, context, deterministic)",
        "  actual:   Dense(...), called as (inputs)",
        "  fix:      Plain(block=Dense(...)) calls a module with `x` alone",
    ),
    mistake(
        "Plain block",
        lambda: Plain(block=8),
        TypeError,
        "Plain: field `block` cannot hold this",
        "  expected: Module",
        "  actual:   8",
    ),
)
