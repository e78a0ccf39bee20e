"""Siblings of multi-head attention: talking heads, differential and transient global attention."""

import math

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.slots import rescored, sees, sinks_of, transformed, weighted
from laws.references import Params, reference

from blocks import (
    ALiBi,
    Causal,
    DifferentialAttention,
    LearnedSinks,
    RelativeBias,
    RMSNorm,
    RoPE,
    SlidingWindow,
    SoftCap,
)
from blocks.attention import TalkingHeadsAttention, TransientGlobalAttention

E = EMBED

CASES = [
    Case(
        "talking_heads",
        TalkingHeadsAttention(
            num_heads=4,
            num_kv_heads=2,
            mask=Causal() & SlidingWindow(3),
            scores=(ALiBi(),),
            sinks=LearnedSinks(),
            dropout_rate=0.3,
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4 + 4 + 2 * 4 * 4,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "differential",
        DifferentialAttention(
            num_heads=4,
            num_kv_heads=2,
            head_dim=2,
            layer=3,
            mask=Causal(),
            position=RoPE(),
            scores=(SoftCap(cap=2.0),),
            sinks=LearnedSinks(),
            dropout_rate=0.3,
        ),
        vectors,
        2 * E * 16 + 2 * E * 8 + 16 + 2 * 8 + E + 4 * 2 + 4 + 4,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "transient_global",
        TransientGlobalAttention(
            num_heads=4,
            num_kv_heads=2,
            size=4,
            mask=SlidingWindow(2),
            scores=(SoftCap(cap=2.0),),
            block_scores=RelativeBias(num_buckets=4, max_distance=3),
            dropout_rate=0.3,
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4 + E + 4 * 4,
        mixes=True,
        heavy=True,
    ),
]


def _projected(params: Params, name: str, x: np.ndarray) -> np.ndarray:
    kernel = params[name]["kernel"]
    return np.einsum("te,ehd->thd", x, kernel) + params[name].get("bias", 0.0)


def _finished(params: Params, mixed: np.ndarray) -> np.ndarray:
    kernel = params["out"]["kernel"]
    return np.einsum("thd,hde->te", mixed, kernel) + params["out"].get("bias", 0.0)


@reference.register
def _(block: TalkingHeadsAttention, params: Params, x: np.ndarray) -> np.ndarray:
    """The paper's figure, one token at a time: J = QK, L = J P_l, W = softmax(L), U = W P_w."""
    q, k, v = (_projected(params, name, x) for name in ("query", "key", "value"))
    heads, group = block.num_heads, block.num_heads // block.num_kv_heads
    mixed = np.zeros((*q.shape[:2], v.shape[2]))
    for i in range(len(x)):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        weights = np.zeros((len(seen), heads))
        for h in range(heads):
            scores = [
                sum(
                    params["logits_mix"][g, h] * float(q[i, g] @ k[j, g // group])
                    for g in range(heads)
                )
                / math.sqrt(q.shape[2])
                for j in seen
            ]
            scores = [
                rescored(block.scores[0], {}, s, i, j, h, heads)
                for s, j in zip(scores, seen, strict=True)
            ]
            one_hot = list(np.eye(len(seen)))
            weights[:, h] = weighted(scores, one_hot, sinks_of(block, params, h))
        talked = weights @ params["weights_mix"]
        for h in range(heads):
            for place, j in enumerate(seen):
                mixed[i, h] += talked[place, h] * v[j, h // group]
    return _finished(params, mixed)


@reference.register
def _(block: DifferentialAttention, params: Params, x: np.ndarray) -> np.ndarray:
    """The paper's equations 1 to 3; of a head's features the first half is of the first map."""
    d, group = block.head_dim, block.num_heads // block.num_kv_heads
    q, k, v = (_projected(params, name, x) for name in ("query", "key", "value"))
    maps = []
    for half in (slice(None, d), slice(d, None)):
        q_half = transformed(block.position, {}, "query", q[..., half])
        k_half = transformed(block.position, {}, "key", k[..., half])
        maps.append((q_half, k_half))
    first = 0.8 - 0.6 * math.exp(-0.3 * (block.layer - 1))
    weight = (
        math.exp(params["lambda_q1"] @ params["lambda_k1"])
        - math.exp(params["lambda_q2"] @ params["lambda_k2"])
        + first
    )
    mixed = np.zeros((len(x), block.num_heads, 2 * d))
    for i, h in np.ndindex(mixed.shape[:2]):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        values = [v[j, h // group] for j in seen]
        results = []
        for q_map, k_map in maps:
            scores = [float(q_map[i, h] @ k_map[j, h // group]) / math.sqrt(d) for j in seen]
            scores = [rescored(block.scores[0], {}, s, i) for s in scores]
            results.append(weighted(scores, values, sinks_of(block, params, h)))
        difference = results[0] - weight * results[1]
        norm = RMSNorm(epsilon=1e-5)
        mixed[i, h] = (1 - first) * reference(norm, params["head_norm"], difference[None])[0]
    return _finished(params, mixed)


@reference.register
def _(block: TransientGlobalAttention, params: Params, x: np.ndarray) -> np.ndarray:
    seq, whole = len(x), len(x) // block.size
    number = [min(t // block.size, whole - 1) for t in range(seq)]
    sums = np.stack([sum(x[t] for t in range(seq) if number[t] == b) for b in range(whole)])
    sums = reference(block.block_norm, params["block_norm"], sums)

    def project(name: str, x: np.ndarray) -> np.ndarray:
        return np.einsum("te,ehd->thd", x, params[name]["kernel"]) + params[name]["bias"]

    q = project("query", x)
    k, v = (project(name, np.concatenate([x, sums])) for name in ("key", "value"))
    out = np.zeros_like(q)
    for i, h in np.ndindex(q.shape[:2]):
        scores, values = [], []
        for j in range(seq + whole):
            score = float(q[i, h] @ k[j, h // 2]) / math.sqrt(q.shape[2])
            if j >= seq:
                bias = params["block_scores"]
                score = rescored(block.block_scores, bias, score, number[i], j - seq, h, 4)
            elif sees(block.mask, i, j):
                score = rescored(block.scores[0], {}, score, i, j, h, 4)
            else:
                continue
            scores.append(score)
            values.append(v[j, h // 2])
        out[i, h] = weighted(scores, values)
    return np.einsum("thd,hde->te", out, params["out"]["kernel"]) + params["out"]["bias"]
