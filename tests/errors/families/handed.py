"""Mistakes with what a stack and a context hand to attention."""


# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, layer, shapes, stack, told

from blocks import (
    Context,
    MultiHeadAttention,
    SharedRelativeBias,
    TokenEmbedding,
    ValueEmbedding,
    ValueResidual,
)
from blocks.attention import AttentionInputs
from blocks.context import Coordinates
from blocks.positions import SharedGridBias

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim
TABLE = ValueEmbedding(vocab_size=5)
at = Coordinates(TOKENS[:1], TOKENS[:1])
inputs = AttentionInputs(X, Context(), True, at, at)


def attends(*values: object, heads: int = 2, **fields: object) -> MultiHeadAttention:
    return MultiHeadAttention(num_heads=heads, values=values, **fields)


CASES = (
    told(
        "ValueResidual outside of a stack",
        lambda: shapes(layer(attention=attends(ValueResidual())), X),
        ValueError,
        (
            "ValueResidual at `attention.value_residual`: ValueResidual mixes in what the first "
            "layer left"
        ),
    ),
    told(
        "ValueResidual of other heads",
        lambda: shapes(
            stack(
                block=(
                    layer(attention=attends(ValueResidual())),
                    layer(attention=attends(ValueResidual(), heads=4)),
                )
            ),
            X,
        ),
        ValueError,
        (
            "ValueResidual at `layer_1.attention.value_residual`: values of shape (2, 3, 4, 2) "
            "cannot be mixed with the first layer's, (2, 3, 2, 4)"
        ),
    ),
    told(
        "ValueResidual in a scan",
        lambda: shapes(stack(block=layer(attention=attends(ValueResidual())), scan=True), X),
        ValueError,
        "Stack: layers leave first_value for later ones, which layers of a scan cannot",
    ),
    told(
        "ValueResidual carry",
        lambda: Context(carry={}),
        TypeError,
        "Context: carry={} must be a Carry",
    ),
    told(
        "ValueEmbedding no tokens",
        lambda: shapes(stack(block=layer(attention=attends(TABLE))), X),
        ValueError,
        "ValueEmbedding at `layer_0.attention.value_embedding`: ValueEmbedding looks up tokens",
    ),
    told(
        "ValueEmbedding tokens of another length",
        lambda: shapes(attends(TABLE), X, Context(tokens=TOKENS[:, :2])),
        TypeError,
        "MultiHeadAttention: argument `tokens` of context",
        "expected: Int[Array, 'batch seq'] | None",
    ),
    told(
        "ValueEmbedding unknown token",
        lambda: attends(TABLE).apply(
            attends(TABLE).init(jnp.array([0, 0], jnp.uint32), X, Context(tokens=TOKENS)),
            X,
            Context(tokens=TOKENS + 9),
        ),
        ValueError,
        "ValueEmbedding at `value_embedding`: token ids from 9 to 9 do not fit vocab_size=5",
    ),
    told(
        "ValueEmbedding in an embedding",
        lambda: shapes(TokenEmbedding(vocab_size=5, features=8, added=(TABLE,)), TOKENS),
        TypeError,
        "TokenEmbedding: field `added`",
        (
            "ValueEmbedding goes into values=(ValueEmbedding(vocab_size=5),) of "
            "MultiHeadAttention, CrossAttention, DifferentialAttention, ..."
        ),
    ),
    told(
        "SharedGridBias outside of a stack",
        lambda: shapes(layer(attention=attends(scores=(SharedGridBias(rows=1, columns=2),))), X),
        ValueError,
        "SharedGridBias at `attention.shared_grid_bias`: SharedGridBias reads what the first layer",
    ),
    told(
        "SharedRelativeBias outside of a stack",
        lambda: shapes(layer(attention=attends(scores=(SharedRelativeBias(),))), X),
        ValueError,
        (
            "SharedRelativeBias at `attention.shared_relative_bias`: SharedRelativeBias reads "
            "what the first layer left"
        ),
    ),
    told(
        "SharedRelativeBias in a scan",
        lambda: shapes(
            stack(block=layer(attention=attends(scores=(SharedRelativeBias(),))), scan=True), X
        ),
        ValueError,
        (
            "Stack: layers leave SharedRelativeBias() of 2 heads for later ones, which layers of "
            "a scan cannot"
        ),
    ),
    told(
        "SharedRelativeBias num_buckets",
        lambda: SharedRelativeBias(num_buckets=5),
        ValueError,
        "SharedRelativeBias: num_buckets=5 must be even and at least 4.",
    ),
    told(
        "SharedRelativeBias in values",
        lambda: attends(SharedRelativeBias()),
        TypeError,
        "MultiHeadAttention: field `values`",
        "SharedRelativeBias goes into scores=(SharedRelativeBias(),)",
    ),
)
