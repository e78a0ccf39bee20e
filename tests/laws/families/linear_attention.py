"""Linear attention: feature maps, states, the gated delta rule."""

import functools
import math
from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.slots import sees, transformed, weighted
from laws.references import Params, reference

from blocks import Bidirectional, Causal, GatedDeltaNet, LinearAttention, QKNorm, RoPE
from blocks.core import VarianceScaling
from blocks.core.parts import part_name
from blocks.recurrent import (
    EluFeatures,
    Hedgehog,
    HedgehogDistillation,
    KimiDeltaAttention,
    ShortConvolution,
    TaylorFeatures,
)

E = EMBED
CASES = [
    Case(
        "linear_attention",
        LinearAttention(
            num_heads=4,
            num_kv_heads=2,
            feature_map=Hedgehog(features=3, kernel_init=VarianceScaling()),
            mask=Bidirectional(),
            chunk_size=4,
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4 + (4 + 2) * 2 * 3,
        mixes=True,
    ),
    Case(
        "linear_attention_causal",
        LinearAttention(num_heads=4, position=RoPE(), mask=Causal(), chunk_size=4),
        vectors,
        4 * E * E + 4 * E,
        mixes=True,
        caches=True,
    ),
    Case(
        "linear_attention_taylor",
        LinearAttention(
            num_heads=2,
            head_dim=3,
            feature_map=TaylorFeatures(),
            mask=Causal(),
            qk=(QKNorm(),),
            use_bias=False,
        ),
        vectors,
        4 * E * 6 + 2 * 3,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "linear_attention_teacher",
        HedgehogDistillation(num_heads=2, feature_map=Hedgehog(), mask=Causal()),
        vectors,
        4 * E * E + 4 * E + 2 * 2 * 4 * 4,
        mixes=True,
        heavy=True,
    ),
    Case(
        "short_convolution",
        ShortConvolution(width=3, use_bias=True),
        vectors,
        3 * E + E,
        mixes=True,
        caches=True,
    ),
    Case(
        "gated_delta",
        GatedDeltaNet(num_heads=4, num_key_heads=2, head_dim=3, value_dim=2, chunk_size=4),
        vectors,
        2 * E * 6 + 3 * E * 8 + 2 * E * 4 + 4 * (6 + 6 + 8) + 2 * 4 + 2,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "kimi_delta",
        KimiDeltaAttention(
            num_heads=4, num_key_heads=2, head_dim=3, value_dim=2, rank=5, chunk_size=4
        ),
        vectors,
        2 * E * 6  # queries, keys
        + 2 * E * 8  # values, output
        + 4 * (6 + 6 + 8)  # convolutions
        + 2 * E * 5
        + 5 * 4 * 3
        + 5 * 4 * 2  # decay, gate
        + E * 4
        + 4
        + 4 * 3
        + 2,
        mixes=True,
        caches=True,
        heavy=True,
    ),
]


@functools.singledispatch
def features(feature_map: Any, params: Params, head: int, x: np.ndarray) -> np.ndarray:
    """The features of one head of one token."""
    raise TypeError(f"{type(feature_map).__name__} has no reference: register one here.")


@features.register
def _(feature_map: EluFeatures, params: Params, head: int, x: np.ndarray) -> np.ndarray:
    return np.array([e + 1.0 if e > 0 else math.exp(e) for e in x])


@features.register
def _(feature_map: TaylorFeatures, params: Params, head: int, x: np.ndarray) -> np.ndarray:
    root = x / len(x) ** 0.25
    return np.array([1.0, *root, *np.outer(root, root).ravel() / math.sqrt(2.0)])


@features.register
def _(feature_map: Hedgehog, params: Params, head: int, x: np.ndarray) -> np.ndarray:
    mapped = x @ params["kernel"][head]
    up, down = np.exp(mapped), np.exp(-mapped)
    return np.concatenate([up / up.sum(), down / down.sum()])


@reference.register
def _(block: LinearAttention, params: Params, x: np.ndarray) -> np.ndarray:
    def project(name: str) -> np.ndarray:
        kernel = params[name]["kernel"]
        return np.einsum("te,ehd->thd", x, kernel) + params[name].get("bias", 0.0)

    q, k, v = project("query"), project("key"), project("value")
    changes = {part_name(t): t for t in block.qk}
    if block.position is not None:
        changes["position"] = block.position
    for name, change in changes.items():
        q = transformed(change, params.get(name, {}), "query", q)
        k = transformed(change, params.get(name, {}), "key", k)
    group = q.shape[1] // k.shape[1]
    out = np.zeros((*q.shape[:2], v.shape[2]))
    for i, h in np.ndindex(q.shape[:2]):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        values = [v[j, h // group] for j in seen]
        if isinstance(block, HedgehogDistillation):
            scores = [float(q[i, h] @ k[j, h // group]) / math.sqrt(q.shape[2]) for j in seen]
            out[i, h] = weighted(scores, values)
            continue
        maps = [params.get(f"{side}_features", {}) for side in ("query", "key")]
        own = features(block.feature_map, maps[0], h, q[i, h])
        weights = [
            float(own @ features(block.feature_map, maps[1], h // group, k[j, h // group]))
            for j in seen
        ]
        out[i, h] = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
    kernel = params["out"]["kernel"]
    return np.einsum("thd,hde->te", out, kernel) + params["out"].get("bias", 0.0)


@reference.register
def _(block: ShortConvolution, params: Params, x: np.ndarray) -> np.ndarray:
    y = np.zeros_like(x)
    for t in range(len(x)):
        for back in range(min(block.width, t + 1)):
            y[t] += params["kernel"][block.width - 1 - back] * x[t - back]
    return y + params.get("bias", 0.0)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1.0 + np.exp(-x))


@reference.register
def _(block: GatedDeltaNet, params: Params, x: np.ndarray) -> np.ndarray:
    def project(name: str) -> np.ndarray:
        return np.tensordot(x, params[name]["kernel"], axes=1)

    def convolved(name: str) -> np.ndarray:
        own = params.get(f"{name}_convolution")
        y = project(name)
        return silu(y if own is None else reference(block.convolution, own, y))

    def unit(x: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).sum(-1, keepdims=True) + 1e-6)

    q, k, v = unit(convolved("query")), unit(convolved("key")), convolved("value")
    if isinstance(block, KimiDeltaAttention):

        def low_rank(name: str) -> np.ndarray:
            return np.tensordot(project(f"{name}_down"), params[f"{name}_up"]["kernel"], axes=1)

        step = np.log1p(np.exp(low_rank("decay") + params["step"]))
        alpha = np.exp(-np.exp(params["log_rate"])[:, None] * step)  # of each feature
        gate = 1.0 / (1.0 + np.exp(-low_rank("gate")))
    else:
        step = np.log1p(np.exp(project("decay") + params["step"]))
        alpha, gate = np.exp(-np.exp(params["log_rate"]) * step), silu(project("gate"))
    beta = 1.0 / (1.0 + np.exp(-project("beta")))
    group = v.shape[1] // k.shape[1]
    read = np.zeros_like(v)
    for h in range(v.shape[1]):
        state = np.zeros((v.shape[2], k.shape[2]))
        for t in range(len(x)):
            key = k[t, h // group]
            forget = np.eye(len(key)) - beta[t, h] * np.outer(key, key)
            state = (state * alpha[t, h]) @ forget + beta[t, h] * np.outer(v[t, h], key)
            read[t, h] = state @ q[t, h // group] / math.sqrt(len(key))
    normed = np.stack([reference(block.norm, params["norm"], token) for token in read])
    return np.einsum("thd,hde->te", normed * gate, params["out"]["kernel"])
