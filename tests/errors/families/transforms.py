"""Mistakes with what changes queries, keys, values and heads."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import TOKENS, X, shapes, told

from blocks import Causal, Context, MultiHeadAttention, OutputGate, SoftCap
from blocks.attention import (
    AttentionInputs,
    BlockSparse,
    ClipQK,
    ClipValue,
    HeadTransform,
    QKTransform,
    ScoreModification,
    TransientGlobalAttention,
    ValueTransform,
)
from blocks.context import Coordinates
from blocks.positions import QueryTemperature, RotaryValues

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim
at = Coordinates(TOKENS[:1], TOKENS[:1])
CACHED = Context(cache_size=4)
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
    told(
        "QueryTemperature interval",
        lambda: QueryTemperature(interval=0),
        ValueError,
        "QueryTemperature: interval=0 must be at least 1; Llama 4 has 8192",
    ),
    told(
        "QueryTemperature scale",
        lambda: QueryTemperature(scale=-0.1),
        ValueError,
        "QueryTemperature: scale=-0.1 must be at least 0; Llama 4 has 0.1",
    ),
    told(
        "ClipQK limit",
        lambda: ClipQK(limit=0.0),
        ValueError,
        "ClipQK: limit=0.0 must be positive",
    ),
    told(
        "ClipQK in scores",
        lambda: MultiHeadAttention(num_heads=2, scores=(ClipQK(limit=8.0),)),
        TypeError,
        "MultiHeadAttention: field `scores`",
        "ClipQK goes into qk=(ClipQK(limit=8.0),) or position=ClipQK(limit=8.0)",
    ),
    told(
        "ClipQK alone",
        lambda: MultiHeadAttention(num_heads=2, qk=ClipQK(limit=8.0)),
        TypeError,
        "MultiHeadAttention: field `qk`",
        "write it as a tuple, (...,)",
    ),
    told(
        "ClipValue limit",
        lambda: ClipValue(limit=-1.0),
        ValueError,
        "ClipValue: limit=-1.0 must be positive",
    ),
    told(
        "BlockSparse size",
        lambda: BlockSparse(size=0),
        ValueError,
        "BlockSparse: size=0 must be at least 1",
    ),
    told(
        "BlockSparse cache_size",
        lambda: shapes(attends(mask=Causal(), scores=(BlockSparse(size=2),)), X, CACHED),
        ValueError,
        "BlockSparse at `block_sparse`: a cache gives the text in parts",
        "leave cache_size out of the context",
    ),
    told(
        "TransientGlobalAttention size",
        lambda: TransientGlobalAttention(num_heads=2, size=0),
        ValueError,
        "TransientGlobalAttention: size=0 must be at least 1",
    ),
    told(
        "TransientGlobalAttention cache_size",
        lambda: shapes(TransientGlobalAttention(num_heads=2), X, CACHED),
        ValueError,
        "TransientGlobalAttention: a cache gives the text in parts",
        "leave cache_size out of the context",
    ),
    told(
        "RotaryValues rope",
        lambda: RotaryValues(rope=ClipValue(limit=8.0)),
        TypeError,
        "RotaryValues: field `rope` cannot hold this",
        "expected: RoPE",
    ),
    told(
        "ClipValue as position",
        lambda: MultiHeadAttention(num_heads=2, position=ClipValue(limit=8.0)),
        TypeError,
        "MultiHeadAttention: field `position`",
        "ClipValue goes into values=(ClipValue(limit=8.0),)",
    ),
    told(
        "SoftCap in qk",
        lambda: attends(qk=(SoftCap(cap=1.0),)),
        TypeError,
        "MultiHeadAttention: field `qk`",
        "SoftCap goes into scores=(SoftCap(cap=1.0),)",
    ),
    told(
        "OutputGate activation",
        lambda: OutputGate(activation="sigmoid"),
        TypeError,
        "OutputGate: field `activation`",
        "pass the function, jax.nn.sigmoid",
    ),
    told(
        "ValueTransform without a call",
        lambda: shapes(attends(values=(SilentValue(),)), X),
        TypeError,
        "SilentValue at `silent_value`: SilentValue changes nothing: give it a `__call__`.",
    ),
    told(
        "HeadTransform without a call",
        lambda: shapes(attends(gate=SilentHead()), X),
        TypeError,
        "SilentHead at `gate`: SilentHead changes nothing: give it a `__call__`.",
    ),
    told(
        "QKTransform without a call",
        lambda: shapes(attends(qk=(SilentChange(),)), X),
        TypeError,
        "SilentChange at `silent_change`: SilentChange changes nothing: give it a `__call__`.",
    ),
    told(
        "ScoreModification without one",
        lambda: shapes(attends(scores=(SilentScores(),)), X),
        TypeError,
        "SilentScores of MultiHeadAttention: SilentScores changes nothing: give it a method "
        "`modify`.",
    ),
)
