"""Attention: heads, masks, what modifies queries, keys and scores."""

import math
from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.slots import (
    regated,
    rescored,
    revalued,
    sees,
    sinks_of,
    transformed,
    weighted,
)
from laws.references import Params, linear, reference

from blocks import (
    ALiBi,
    AttentionHead,
    Biases,
    Bidirectional,
    Causal,
    ChunkedAttention,
    ChunkedLocal,
    CrossAttention,
    FullWidthQKNorm,
    LayerNorm,
    LearnedSinks,
    MultiHeadAttention,
    Prefix,
    QKNorm,
    RelativeBias,
    RoPE,
    SlidingWindow,
    SoftCap,
)
from blocks.attention import SoftmaxOne
from blocks.attention.masks import Dilated
from blocks.core.parts import part_name
from blocks.positions import GridBias, GridRoPE

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
            scale=0.5,
            scores=(SoftCap(cap=2.0),),
            sinks=SoftmaxOne(),
            use_bias=False,
        ),
        vectors,
        2 * E * 24 + 2 * E * 6,
        mixes=True,
        caches=True,
        heavy=True,
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
        heavy=True,
    ),
    Case(
        "attention_alibi",
        attention(
            scores=(ALiBi(),),
            mask=Causal() & (ChunkedLocal(2) | Dilated(2) | Prefix(1)),
            use_bias=False,
        ),
        vectors,
        4 * E * E,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "attention_relative",
        attention(
            mask=Bidirectional(),
            scale=1.0,
            scores=(RelativeBias(num_buckets=8, max_distance=5),),
            use_bias=False,
        ),
        vectors,
        4 * E * E + 8 * 4,
        mixes=True,
        heavy=True,
    ),
    Case(
        "attention_grid",
        attention(
            head_dim=4,
            mask=None,
            position=GridRoPE(rows=2, columns=2, extra_tokens=2, theta=5.0),
            scores=(GridBias(rows=2, columns=2, extra_tokens=2),),
            use_bias=False,
        ),
        vectors,
        4 * E * 16 + (3 * 3 + 3) * 4,
        mixes=True,
        heavy=True,
    ),
    Case(
        "attention_normed",
        attention(
            head_dim=4,
            num_kv_heads=2,
            qk=(FullWidthQKNorm(), RoPE(), QKNorm(norm=LayerNorm(use_bias=False))),
            use_bias=False,
        ),
        vectors,
        2 * E * 16 + 2 * E * 8 + 16 + 8 + 2 * 4,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "attention_normed_by_head",
        attention(num_kv_heads=2, qk=(QKNorm(norm=LayerNorm(), shared=False),), use_bias=False),
        vectors,
        2 * E * E + 2 * E * (E // 2) + 2 * (E + E // 2),
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "attention_chunked",
        attention(
            num_kv_heads=2,
            mask=Causal() & SlidingWindow(4),
            scores=(SoftCap(cap=3.0),),
            sinks=LearnedSinks(),
            implementation=ChunkedAttention(query_chunk=2, key_chunk=4),
            dropout_rate=0.3,
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4 + 4,
        mixes=True,
        caches=True,
        heavy=True,
    ),
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
    for transform in block.values:
        v = revalued(transform, params.get(part_name(transform), {}), v)
    transforms = [(part_name(transform), transform) for transform in block.qk]
    if block.position is not None:
        transforms.append(("position", block.position))
    for name, transform in transforms:
        q = transformed(transform, params.get(name, {}), "query", q)
        k = transformed(transform, params.get(name, {}), "key", k)
    scale = 1.0 / math.sqrt(q.shape[2]) if block.scale is None else block.scale
    group = q.shape[1] // k.shape[1]
    out = np.zeros((*q.shape[:2], v.shape[2]))
    for i, h in np.ndindex(q.shape[:2]):
        seen = [j for j in range(len(source)) if sees(block.mask, i, j)]
        scores = [scale * float(q[i, h] @ k[j, h // group]) for j in seen]
        for change in block.scores:
            scores = [
                rescored(change, params.get(part_name(change), {}), s, i, j, h, block.num_heads)
                for s, j in zip(scores, seen, strict=True)
            ]
        values = [v[j, h // group] for j in seen]
        out[i, h] = weighted(scores, values, sinks_of(block, params, h))
    if block.gate is not None:
        out = regated(block.gate, params["gate"], out, x)
    kernel = params["out"]["kernel"]
    return np.einsum("thd,hde->te", out, kernel) + params["out"].get("bias", 0.0)
