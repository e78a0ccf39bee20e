"""Mistakes with what changes queries, keys, values and heads."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, mistake, on, shapes

from blocks import (
    ClipQK,
    ClipValue,
    Context,
    Coordinates,
    HeadTransform,
    LatentAttention,
    MultiHeadAttention,
    OutputGate,
    SoftCap,
    ValueTransform,
)

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim
at = Coordinates(TOKENS[:1], TOKENS[:1])


class SilentValue(ValueTransform, kw_only=True):
    """A user's change of values without a call."""


class SilentHead(HeadTransform, kw_only=True):
    """A user's change of heads without a call."""


def attends(*transforms: object, heads: int = 2, **fields: object) -> MultiHeadAttention:
    return MultiHeadAttention(num_heads=heads, transforms=transforms, **fields)


CASES = (
    mistake(
        "ClipQK limit",
        lambda: ClipQK(limit=0.0),
        ValueError,
        "ClipQK: limit=0.0 must be positive; OLMo and MPT models have 6 or 8.",
    ),
    mistake(
        "ClipQK no limit",
        lambda: ClipQK(),
        TypeError,
        "ClipQK: the field `limit` is missing; write ClipQK(limit=...).",
    ),
    mistake(
        "ClipQK rank",
        lambda: shapes(ClipQK(limit=8.0), heads[0], heads, at, at),
        TypeError,
        "ClipQK: argument `query` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads head_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: query[None]",
    ),
    mistake(
        "ClipQK key of another batch",
        lambda: shapes(ClipQK(limit=8.0), heads, heads[:1], at, at),
        TypeError,
        "ClipQK: argument `key` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads head_dim']",
        "  actual:   f32[1,3,2,4]",
        "  with:     batch=2, q_seq=3, heads=2, head_dim=4 (bound by the arguments before it)",
        "  fix:      one row for every sequence: jnp.broadcast_to(key, (2, 3, 2, 4))",
    ),
    mistake(
        "ClipQK in scores",
        lambda: MultiHeadAttention(num_heads=2, scores=(ClipQK(limit=8.0),)),
        TypeError,
        "MultiHeadAttention: field `scores` cannot hold this",
        "  expected: tuple[ScoreModification, ...]",
        "  actual:   (ClipQK(limit=8.0),)",
        "  fix:      ClipQK changes queries and keys: transforms=(ClipQK(limit=8.0),)",
    ),
    mistake(
        "ClipQK alone",
        lambda: MultiHeadAttention(num_heads=2, transforms=ClipQK(limit=8.0)),
        TypeError,
        "MultiHeadAttention: field `transforms` cannot hold this",
        "  expected: tuple[QKTransform | ValueTransform | HeadTransform, ...]",
        "  actual:   ClipQK(limit=8.0)",
        "  fix:      write it as a tuple, (...,)",
    ),
    mistake(
        "ClipValue limit",
        lambda: ClipValue(limit=-1.0),
        ValueError,
        "ClipValue: limit=-1.0 must be positive; OLMo and MPT models have 6 or 8.",
    ),
    mistake(
        "ClipValue rank",
        lambda: shapes(ClipValue(limit=8.0), heads[0]),
        TypeError,
        "ClipValue: argument `value` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads value_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: value[None]",
    ),
    mistake(
        "ClipValue dtype",
        lambda: shapes(ClipValue(limit=8.0), heads.astype(jnp.int32)),
        TypeError,
        "ClipValue: argument `value` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads value_dim']",
        "  actual:   i32[2,3,2,4]",
        "  fix:      make it floating point: value.astype(jnp.float32)",
    ),
    mistake(
        "ClipValue swapped",
        lambda: shapes(ClipValue(limit=8.0), Context(), heads),
        TypeError,
        "ClipValue: argument `value` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads value_dim']",
        "  actual:   Context()",
        "  fix:      they are swapped: `value` comes before `context`",
    ),
    mistake(
        "ClipValue as position",
        lambda: MultiHeadAttention(num_heads=2, position=ClipValue(limit=8.0)),
        TypeError,
        "MultiHeadAttention: field `position` cannot hold this",
        "  expected: QKTransform | ScoreModification | None",
        "  actual:   ClipValue(limit=8.0)",
        "  fix:      ClipValue changes values: transforms=(ClipValue(limit=8.0),)",
    ),
    mistake(
        "SoftCap in transforms",
        lambda: attends(SoftCap(cap=1.0)),
        TypeError,
        "MultiHeadAttention: field `transforms` cannot hold this",
        "  expected: tuple[QKTransform | ValueTransform | HeadTransform, ...]",
        "  actual:   (SoftCap(cap=1.0),)",
        "  fix:      SoftCap changes scores: scores=(SoftCap(cap=1.0),)",
    ),
    mistake(
        "OutputGate activation",
        lambda: OutputGate(activation="sigmoid"),
        TypeError,
        "OutputGate: field `activation` cannot hold this",
        "  expected: Callable[[Array], Array]",
        "  actual:   'sigmoid'",
        "  fix:      pass the function, jax.nn.sigmoid",
    ),
    mistake(
        "OutputGate rank",
        lambda: shapes(OutputGate(), heads[0], X),
        TypeError,
        "OutputGate: argument `heads` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads value_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: heads[None]",
    ),
    mistake(
        "OutputGate swapped",
        lambda: shapes(OutputGate(), X, heads),
        TypeError,
        "OutputGate: argument `heads` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads value_dim']",
        "  actual:   f32[2,3,8]",
        "  fix:      they are swapped: `heads` comes before `x`",
    ),
    mistake(
        "OutputGate x of another length",
        lambda: shapes(OutputGate(), heads, X[:, :2]),
        TypeError,
        "OutputGate: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq embed']",
        "  actual:   f32[2,2,8]",
        "  with:     batch=2, q_seq=3, heads=2, value_dim=4 (bound by the arguments before it)",
    ),
    mistake(
        "OutputGate in another attention",
        lambda: LatentAttention(
            num_heads=2, head_dim=4, rope_dim=2, kv_rank=4, transforms=(OutputGate(),)
        ),
        TypeError,
        "LatentAttention: no field `transforms`; there are num_heads, head_dim, rope_dim, kv_rank, "
        "q_rank, value_dim, mask, position, scores, kernel, cache, norm, dropout_rate, dtype, "
        "param_dtype, kernel_init.",
    ),
    mistake(
        "OutputGate width",
        lambda: on(attends(OutputGate(), head_dim=4), (X,), X[..., :6]),
        TypeError,
        "Linear at `query`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2, 4), as it was made",
        "  actual:   f32[2,3,6], which asks for kernel of shape (6, 2, 4)",
    ),
    mistake(
        "ValueTransform without a call",
        lambda: shapes(attends(SilentValue()), X),
        TypeError,
        "MultiHeadAttention: SilentValue changes nothing: give it a `__call__`.",
    ),
    mistake(
        "HeadTransform without a call",
        lambda: shapes(attends(SilentHead()), X),
        TypeError,
        "MultiHeadAttention: SilentHead changes nothing: give it a `__call__`.",
    ),
)
