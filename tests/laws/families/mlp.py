"""MLPs."""

import math

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, linear, per_token, reference

from blocks import MLP, GatedMLP

CASES = [
    Case("mlp", MLP(hidden=16, dropout_rate=0.3), vectors, 2 * 16 * EMBED + 16 + EMBED),
    Case("gated_mlp", GatedMLP(hidden=12, dropout_rate=0.3), vectors, 3 * 12 * EMBED),
]


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1.0 + np.exp(-x))


@reference.register
@per_token
def _(block: MLP, params: Params, x: np.ndarray) -> np.ndarray:
    return linear(params["down"], gelu(linear(params["up"], x)))


@reference.register
@per_token
def _(block: GatedMLP, params: Params, x: np.ndarray) -> np.ndarray:
    return linear(params["down"], silu(linear(params["gate"], x)) * linear(params["up"], x))
