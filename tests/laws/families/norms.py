"""Norms."""

import math

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, per_token, reference

from blocks import LayerNorm, RMSNorm
from blocks.norms import DynamicTanh, GroupNorm, ScaleNorm

CASES = [
    Case("layer_norm", LayerNorm(), vectors, 2 * EMBED, shared=False),
    Case("layer_norm_bare", LayerNorm(use_scale=False, use_bias=False), vectors, 0, shared=False),
    Case("layer_norm_offset", LayerNorm(unit_offset=True), vectors, 2 * EMBED, shared=False),
    Case("rms_norm", RMSNorm(), vectors, EMBED, shared=False),
    Case("rms_norm_offset", RMSNorm(unit_offset=True), vectors, EMBED, shared=False),
    Case("group_norm", GroupNorm(num_groups=2), vectors, 2 * EMBED, shared=False),
    Case("scale_norm", ScaleNorm(), vectors, 1, shared=False),
    Case("dynamic_tanh", DynamicTanh(), vectors, 2 * EMBED + 1, shared=False),
]


@reference.register
@per_token
def _(block: LayerNorm, params: Params, x: np.ndarray) -> np.ndarray:
    x = (x - x.mean()) / math.sqrt(x.var() + block.epsilon)
    factor = params["scale"] + block.unit_offset if block.use_scale else 1.0
    return x * factor + params.get("bias", 0.0)


@reference.register
@per_token
def _(block: RMSNorm, params: Params, x: np.ndarray) -> np.ndarray:
    return x / math.sqrt((x * x).mean() + block.epsilon) * (params["scale"] + block.unit_offset)


@reference.register
def _(block: GroupNorm, params: Params, x: np.ndarray) -> np.ndarray:
    """Mean and variance of all numbers of a group, at all steps."""
    out, size = x.copy(), x.shape[1] // block.num_groups
    for start in range(0, x.shape[1], size):
        part = x[:, start : start + size]
        out[:, start : start + size] = (part - part.mean()) / math.sqrt(part.var() + block.epsilon)
    return out * params["scale"] + params["bias"]


@reference.register
@per_token
def _(block: ScaleNorm, params: Params, x: np.ndarray) -> np.ndarray:
    return params["length"] * x / max(math.sqrt((x * x).sum()), block.epsilon)


@reference.register
@per_token
def _(block: DynamicTanh, params: Params, x: np.ndarray) -> np.ndarray:
    return np.tanh(params["slope"] * x) * params["scale"] + params["bias"]
