"""Parts in the wrong place, algorithms by their names, and what apply and init take first."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import ATTEND, KEY, X, layer, mistake, shapes, stack, told

from blocks import (
    ALiBi,
    ClassifierHead,
    PatchEmbedding,
    RoPE,
    SkipStack,
    TokenEmbedding,
)

FIRST = jnp.ones((2, 3, 8, 8))  # channels first
APPLY = "write apply(variables, ...)."
INIT = "write init(jax.random.key(0), ...)."
SIZES = {"size": 4, "features": 8}

CASES = (
    mistake(
        "TokenEmbedding position of attention",
        lambda: TokenEmbedding(vocab_size=5, features=8, position=RoPE()),
        TypeError,
        "TokenEmbedding: field `position` cannot hold this",
        "  expected: a block called as position(x, positions)",
        "  actual:   RoPE(), called as (query, key, inputs)",
        (
            "  fix:      RoPE goes into qk=(RoPE(),) or position=RoPE() of MultiHeadAttention, "
            "CrossAttention, DifferentialAttention, ..."
        ),
    ),
    mistake(
        "TokenEmbedding bias of attention",
        lambda: TokenEmbedding(vocab_size=5, features=8, position=ALiBi()),
        TypeError,
        "TokenEmbedding: field `position` cannot hold this",
        "  expected: a block called as position(x, positions)",
        "  actual:   ALiBi(), called as (kwargs)",
        (
            "  fix:      ALiBi goes into scores=(ALiBi(),) of MultiHeadAttention, "
            "CrossAttention, DifferentialAttention, ..."
        ),
    ),
    mistake(
        "TokenEmbedding position by name",
        lambda: TokenEmbedding(vocab_size=5, features=8, position="learned"),
        TypeError,
        "TokenEmbedding: field `position` cannot hold this",
        "  expected: Module | None",
        "  actual:   'learned'",
        "  fix:      write LearnedPositions(...), a value instead of its name",
    ),
    told(
        "PatchEmbedding channels first",
        lambda: shapes(PatchEmbedding(**SIZES), FIRST),
        ValueError,
        "PatchEmbedding: an image of 3 x 8 is not whole patches of size=4",
    ),
    told(
        "PatchEmbedding one image with channels first",
        lambda: shapes(PatchEmbedding(**SIZES), FIRST[0]),
        TypeError,
        "PatchEmbedding: argument `images`",
        "add the batch axis: images[None]",
    ),
    mistake(
        "TransformerBlock norm by name",
        lambda: layer(norm="layernorm"),
        TypeError,
        "TransformerBlock: field `norm` cannot hold this",
        "  expected: Module",
        "  actual:   'layernorm'",
        "  fix:      write LayerNorm(...), a value instead of its name",
    ),
    mistake(
        "TransformerBlock norm by half a name",
        lambda: layer(norm="rms"),
        TypeError,
        "TransformerBlock: field `norm` cannot hold this",
        "  expected: Module",
        "  actual:   'rms'",
        "  fix:      write RMSNorm(...), a value instead of its name",
    ),
    mistake(
        "TransformerBlock norm by an unknown name",
        lambda: layer(norm="batch"),
        TypeError,
        "TransformerBlock: field `norm` cannot hold this",
        "  expected: Module",
        "  actual:   'batch'",
        "  fix:      write a value instead of a name",
    ),
    mistake(
        "TransformerBlock residual by name",
        lambda: layer(residual="pre-norm"),
        TypeError,
        "TransformerBlock: field `residual` cannot hold this",
        "  expected: Residual",
        "  actual:   'pre-norm'",
        "  fix:      write PreNorm(...), a value instead of its name",
    ),
    mistake(
        "TransformerBlock mlp by name",
        lambda: layer(mlp="gated"),
        TypeError,
        "TransformerBlock: field `mlp` cannot hold this",
        "  expected: Module",
        "  actual:   'gated'",
        "  fix:      write GatedMLP(...), a value instead of its name",
    ),
    told(
        "ClassifierHead pool by name",
        lambda: ClassifierHead(num_classes=2, pool="mean"),
        TypeError,
        "ClassifierHead: field `pool`",
        "write MeanPool(...), a value instead of its name",
    ),
    mistake(
        "Stack remat by name",
        lambda: stack(remat="full"),
        TypeError,
        "Stack: field `remat` cannot hold this",
        "  expected: bool | Callable[..., Any]",
        "  actual:   'full'",
        "  fix:      write a value instead of a name",
    ),
    told(
        "SkipStack remat by the name of a layer's part",
        lambda: SkipStack(block=layer(), depth=2, remat=("attention",)),
        TypeError,
        "SkipStack: field `remat`",
        "expected: bool",
    ),
    mistake(
        "MultiHeadAttention variables second",
        lambda: ATTEND.apply(X, {"params": {}}),
        TypeError,
        f"MultiHeadAttention: apply got f32[2,3,8] first; {APPLY}",
    ),
    mistake(
        "MultiHeadAttention result and variables",
        lambda: ATTEND.apply((None, {"params": {}}), X),
        TypeError,
        f"MultiHeadAttention: apply got (None, {{'params': {{}}}}) first; {APPLY}",
    ),
    mistake(
        "MultiHeadAttention key second",
        lambda: ATTEND.init(X, KEY),
        TypeError,
        f"MultiHeadAttention: init got f32[2,3,8] first; {INIT}",
    ),
    mistake(
        "MultiHeadAttention seed",
        lambda: ATTEND.init(0, X),
        TypeError,
        f"MultiHeadAttention: init got 0 first; {INIT}",
    ),
)
