"""Norms."""

import math

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, per_token, reference

from blocks import LayerNorm, RMSNorm

CASES = [
    Case("layer_norm", LayerNorm(), vectors, 2 * EMBED, shared=False),
    Case("layer_norm_bare", LayerNorm(use_scale=False, use_bias=False), vectors, 0, shared=False),
    Case("rms_norm", RMSNorm(), vectors, EMBED, shared=False),
]


@reference.register
@per_token
def _(block: LayerNorm, params: Params, x: np.ndarray) -> np.ndarray:
    x = (x - x.mean()) / math.sqrt(x.var() + block.epsilon)
    return x * params.get("scale", 1.0) + params.get("bias", 0.0)


@reference.register
@per_token
def _(block: RMSNorm, params: Params, x: np.ndarray) -> np.ndarray:
    return x / math.sqrt((x * x).mean() + block.epsilon) * params["scale"]
