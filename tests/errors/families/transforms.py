"""Mistakes with what changes queries, keys, values and heads."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, mistake, on, shapes

from blocks import (
    AttentionInputs,
    ClipQK,
    ClipValue,
    Context,
    Coordinates,
    HeadTransform,
    MultiHeadAttention,
    OutputGate,
    QKTransform,
    ScoreModification,
    SoftCap,
    ValueTransform,
)

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim
at = Coordinates(TOKENS[:1], TOKENS[:1])
inputs = AttentionInputs(X, Context(), True, at, at)


class SilentValue(ValueTransform, kw_only=True):
    """A user's change of values without a call."""


class SilentHead(HeadTransform, kw_only=True):
    """A user's change of heads without a call."""


class SilentChange(QKTransform, kw_only=True):
    """A user's change of queries and keys without a call."""


class SilentScores(ScoreModification, kw_only=True):
    """A user's score modification without one."""


def attends(heads: int = 2, **fields: object) -> MultiHeadAttention:
    return MultiHeadAttention(num_heads=heads, **fields)


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
        lambda: shapes(ClipQK(limit=8.0), heads[0], heads, inputs),
        TypeError,
        "ClipQK: argument `query` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads head_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: query[None]",
    ),
    mistake(
        "ClipQK key of another batch",
        lambda: shapes(ClipQK(limit=8.0), heads, heads[:1], inputs),
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
        "  fix:      ClipQK changes queries and keys: qk=(ClipQK(limit=8.0),)",
    ),
    mistake(
        "ClipQK alone",
        lambda: MultiHeadAttention(num_heads=2, qk=ClipQK(limit=8.0)),
        TypeError,
        "MultiHeadAttention: field `qk` cannot hold this",
        "  expected: tuple[QKTransform, ...]",
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
        lambda: shapes(ClipValue(limit=8.0), heads[0], inputs),
        TypeError,
        "ClipValue: argument `value` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads value_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: value[None]",
    ),
    mistake(
        "ClipValue dtype",
        lambda: shapes(ClipValue(limit=8.0), heads.astype(jnp.int32), inputs),
        TypeError,
        "ClipValue: argument `value` does not fit its signature",
        "  expected: Float[Array, 'batch kv_seq kv_heads value_dim']",
        "  actual:   i32[2,3,2,4]",
        "  fix:      make it floating point: value.astype(jnp.float32)",
    ),
    mistake(
        "ClipValue as position",
        lambda: MultiHeadAttention(num_heads=2, position=ClipValue(limit=8.0)),
        TypeError,
        "MultiHeadAttention: field `position` cannot hold this",
        "  expected: QKTransform | None",
        "  actual:   ClipValue(limit=8.0)",
        "  fix:      ClipValue changes values: values=(ClipValue(limit=8.0),)",
    ),
    mistake(
        "SoftCap in qk",
        lambda: attends(qk=(SoftCap(cap=1.0),)),
        TypeError,
        "MultiHeadAttention: field `qk` cannot hold this",
        "  expected: tuple[QKTransform, ...]",
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
        lambda: shapes(OutputGate(), heads[0], inputs),
        TypeError,
        "OutputGate: argument `heads` does not fit its signature",
        "  expected: Float[Array, 'batch q_seq heads value_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: heads[None]",
    ),
    mistake(
        "OutputGate width",
        lambda: on(attends(gate=OutputGate(), head_dim=4), (X,), X[..., :6]),
        TypeError,
        "Linear at `query`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2, 4), as it was made",
        "  actual:   f32[2,3,6], which asks for kernel of shape (6, 2, 4)",
    ),
    mistake(
        "ValueTransform without a call",
        lambda: shapes(attends(values=(SilentValue(),)), X),
        TypeError,
        "SilentValue at `silent_value`: SilentValue changes nothing: give it a `__call__`.",
    ),
    mistake(
        "HeadTransform without a call",
        lambda: shapes(attends(gate=SilentHead()), X),
        TypeError,
        "SilentHead at `gate`: SilentHead changes nothing: give it a `__call__`.",
    ),
    mistake(
        "QKTransform without a call",
        lambda: shapes(attends(qk=(SilentChange(),)), X),
        TypeError,
        "SilentChange at `silent_change`: SilentChange changes nothing: give it a `__call__`.",
    ),
    mistake(
        "ScoreModification without one",
        lambda: shapes(attends(scores=(SilentScores(),)), X),
        TypeError,
        "MultiHeadAttention: SilentScores changes nothing: give it a method `modify`.",
    ),
)
