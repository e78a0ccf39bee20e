"""Latent attention, token by token and head by head, as section 2.1 of the paper has it."""

import math

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.slots import rescored, sees, sinks_of, transformed, weighted
from laws.references import Params, linear, reference

from blocks import Causal, LatentAttention, LearnedSinks, RoPE, SlidingWindow, SoftCap

E = EMBED

CASES = [
    Case(
        "latent",
        LatentAttention(
            num_heads=3,
            head_dim=4,
            rope_dim=2,
            kv_rank=5,
            q_rank=6,
            value_dim=3,
            use_bias=True,
            position=RoPE(theta=50.0, interleaved=True),
            mask=Causal(),
            dropout_rate=0.3,
        ),
        vectors,
        E * 6
        + 6
        + 6 * 3 * 6
        + E * 5
        + 5
        + E * 2
        + 5 * 3 * 4
        + 5 * 3 * 3
        + 3 * 3 * E
        + 6
        + 5
        + 2
        + E,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "latent_full_queries",
        LatentAttention(
            num_heads=2,
            head_dim=3,
            rope_dim=4,
            kv_rank=6,
            mask=Causal() & SlidingWindow(4),
            scale=0.7,
            scores=(SoftCap(cap=2.0),),
            sinks=LearnedSinks(),
        ),
        vectors,
        E * 2 * 7 + E * 6 + 6 + E * 4 + 2 * 6 * 2 * 3 + 2 * 3 * E + 2,
        mixes=True,
        caches=True,
        heavy=True,
    ),
]


def rms(params: Params, x: np.ndarray, epsilon: float) -> np.ndarray:
    mean_square = (x**2).mean(axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + epsilon) * params["scale"]


@reference.register
def _(block: LatentAttention, params: Params, x: np.ndarray) -> np.ndarray:
    d, epsilon = block.head_dim, block.norm.epsilon
    if block.q_rank is None:
        queries = np.einsum("te,ehd->thd", x, params["query"]["kernel"])
    else:
        latent = rms(params["query_norm"], linear(params["query_down"], x), epsilon)
        queries = np.einsum("tr,rhd->thd", latent, params["query_up"]["kernel"])
    c = rms(params["kv_norm"], linear(params["kv_down"], x), epsilon)
    keys = np.einsum("tr,rhd->thd", c, params["key_up"]["kernel"])
    values = np.einsum("tr,rhd->thd", c, params["value_up"]["kernel"])
    shared = np.einsum("te,ehd->thd", x, params["key_rope"]["kernel"])
    shared = shared + params["key_rope"].get("bias", 0.0)
    turned_query = transformed(block.position, {}, "query", queries[..., d:])
    turned_key = transformed(block.position, {}, "key", shared)[:, 0]
    scale = 1.0 / math.sqrt(d + block.rope_dim) if block.scale is None else block.scale
    out = np.zeros((len(x), block.num_heads, values.shape[-1]))
    for i, h in np.ndindex(out.shape[:2]):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        pairs = [(queries[i, h, :d] @ keys[j, h], turned_query[i, h] @ turned_key[j]) for j in seen]
        scores = [scale * (content + rotary) for content, rotary in pairs]
        for change in block.scores:
            scores = [
                rescored(change, {}, float(s), i, j, h, block.num_heads)
                for s, j in zip(scores, seen, strict=True)
            ]
        out[i, h] = weighted(scores, [values[j, h] for j in seen], sinks_of(block, params, h))
    return np.einsum("thd,hde->te", out, params["out"]["kernel"]) + params["out"].get("bias", 0.0)
