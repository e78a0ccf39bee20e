"""Attention: heads, masks, what changes queries, keys and scores."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.positions import rotated
from laws.references import Params, linear, reference

from blocks import (
    AttentionHead,
    Biases,
    Causal,
    ChunkedAttention,
    CrossAttention,
    FullWidthQKNorm,
    LayerNorm,
    LearnedSinks,
    MultiHeadAttention,
    QKNorm,
    QKTransform,
    RoPE,
    Scale,
    SlidingWindow,
    SoftCap,
    SoftmaxOne,
)
from blocks.attention.slots import Sink

E = EMBED
MHA = 4 * E * E + 4 * E


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 4, "mask": Causal(), **fields})


CASES = [
    Case("head", AttentionHead(head_dim=3), vectors, 3 * 3 * E, mixes=True),
    Case(
        "head_causal",
        AttentionHead(head_dim=3, mask=Causal(), use_bias=True, dropout_rate=0.3),
        vectors,
        3 * 3 * E + 9,
        mixes=True,
    ),
    Case("attention", attention(mask=None), vectors, MHA, mixes=True),
    Case("attention_causal", attention(dropout_rate=0.3), vectors, MHA, mixes=True, caches=True),
    Case(
        "attention_grouped",
        attention(num_kv_heads=2, position=RoPE(), mask=Causal() & SlidingWindow(3)),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4,
        mixes=True,
        caches=True,
    ),
    Case(
        "attention_multi_query",
        attention(
            num_kv_heads=1,
            head_dim=6,
            position=RoPE(fraction=0.7, interleaved=True),
            scores=(Scale(factor=0.5), SoftCap(cap=2.0), SoftmaxOne()),
            use_bias=False,
        ),
        vectors,
        2 * E * 24 + 2 * E * 6,
        mixes=True,
        caches=True,
    ),
    Case(
        "attention_cross",
        CrossAttention(
            num_heads=4,
            num_kv_heads=2,
            position=RoPE(),
            use_bias=Biases(key=False),
            dropout_rate=0.3,
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 4,
        mixes=True,
        caches=True,
        memory=4,
    ),
    Case(
        "attention_normed",
        attention(
            head_dim=4,
            num_kv_heads=2,
            qk_transforms=(FullWidthQKNorm(), RoPE(), QKNorm(norm=LayerNorm(use_bias=False))),
            use_bias=False,
        ),
        vectors,
        2 * E * 16 + 2 * E * 8 + 16 + 8 + 2 * 4,
        mixes=True,
        caches=True,
    ),
    Case(
        "attention_chunked",
        attention(
            num_kv_heads=2,
            mask=Causal() & SlidingWindow(4),
            scores=(LearnedSinks(), SoftCap(cap=3.0)),
            kernel=ChunkedAttention(query_chunk=2, key_chunk=4),
            dropout_rate=0.3,
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4 + 4,
        mixes=True,
        caches=True,
    ),
]


@functools.singledispatch
def sees(mask: Any, query: int, key: int) -> bool:
    """Whether the token at `query` may see the one at `key`."""
    return sees(mask.left, query, key) and sees(mask.right, query, key)


@sees.register
def _(mask: None, query: int, key: int) -> bool:
    return True


@sees.register
def _(mask: Causal, query: int, key: int) -> bool:
    return key <= query


@sees.register
def _(mask: SlidingWindow, query: int, key: int) -> bool:
    return abs(query - key) < mask.window


@functools.singledispatch
def transformed(transform: Any, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    """Queries or keys, `name` says which, after a transform."""
    raise TypeError(f"{type(transform).__name__} has no reference: register one here.")


@transformed.register
def _(transform: RoPE, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    return np.stack([[rotated(transform, h, t) for h in token] for t, token in enumerate(x)])


@transformed.register
def _(transform: QKNorm, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    return np.stack([reference(transform.norm, params[name], token) for token in x])


@transformed.register
def _(transform: FullWidthQKNorm, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    rows = reference(transform.norm, params[name], x.reshape(len(x), -1))
    return rows.reshape(x.shape)


@functools.singledispatch
def rescored(change: Any, score: float, query: int, key: int, head: int, heads: int) -> float:
    """One score after a change; positions of query and key, number of the head among all."""
    raise TypeError(f"{type(change).__name__} has no reference: register one here.")


@rescored.register
def _(change: Scale, score: float, *where: int) -> float:
    return score * change.factor


@rescored.register
def _(change: SoftCap, score: float, *where: int) -> float:
    return change.cap * math.tanh(score / change.cap)


def weighted(
    scores: list[float], values: list[np.ndarray], sinks: Sequence[float] = ()
) -> np.ndarray:
    highest = max((*scores, *sinks))
    total = sum(math.exp(score - highest) for score in (*scores, *sinks))
    return sum(math.exp(s - highest) / total * v for s, v in zip(scores, values, strict=True))


@rescored.register
def _(change: Sink, score: float, *where: int) -> float:
    return score


def sinks_of(block: MultiHeadAttention, params: Params, head: int) -> list[float]:
    """The logits without a value that join the softmax of a head."""
    return [
        params[f"scores_{place}"]["sinks"][head] if isinstance(change, LearnedSinks) else 0.0
        for place, change in enumerate(block.scores)
        if isinstance(change, Sink)
    ]


@reference.register
def _(block: AttentionHead, params: Params, x: np.ndarray) -> np.ndarray:
    q, k, v = (linear(params[name], x) for name in ("query", "key", "value"))
    rows = []
    for i in range(len(x)):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        scores = [float(q[i] @ k[j]) / math.sqrt(block.head_dim) for j in seen]
        rows.append(weighted(scores, [v[j] for j in seen]))
    return np.stack(rows)


@reference.register
def _(block: MultiHeadAttention, params: Params, x: np.ndarray, *memory: np.ndarray) -> np.ndarray:
    def project(name: str, x: np.ndarray) -> np.ndarray:
        kernel = params[name]["kernel"]
        return np.einsum("te,ehd->thd", x, kernel) + params[name].get("bias", 0.0)

    source = memory[0] if isinstance(block, CrossAttention) else x
    q, k, v = project("query", x), project("key", source), project("value", source)
    transforms = {f"qk_transforms_{i}": t for i, t in enumerate(block.qk_transforms)}
    changes = list(block.scores)
    if isinstance(block.position, QKTransform):
        transforms["position"] = block.position
    elif block.position is not None:
        changes.insert(0, block.position)
    for name, transform in transforms.items():
        q = transformed(transform, params.get(name, {}), "query", q)
        k = transformed(transform, params.get(name, {}), "key", k)
    if not any(isinstance(change, Scale) for change in changes):
        changes.insert(0, Scale(factor=1.0 / math.sqrt(q.shape[2])))
    group = q.shape[1] // k.shape[1]
    out = np.zeros((*q.shape[:2], v.shape[2]))
    for i, h in np.ndindex(q.shape[:2]):
        seen = [j for j in range(len(source)) if sees(block.mask, i, j)]
        scores = [float(q[i, h] @ k[j, h // group]) for j in seen]
        for change in changes:
            scores = [
                rescored(change, s, i, j, h, block.num_heads)
                for s, j in zip(scores, seen, strict=True)
            ]
        values = [v[j, h // group] for j in seen]
        out[i, h] = weighted(scores, values, sinks_of(block, params, h))
    kernel = params["out"]["kernel"]
    return np.einsum("thd,hde->te", out, kernel) + params["out"].get("bias", 0.0)
