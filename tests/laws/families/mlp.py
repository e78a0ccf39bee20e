"""MLPs."""

import math

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, linear, per_token, reference

from blocks import MLP, ClampedGatedMLP, GatedMLP
from blocks.mlp import XIELU, squared_relu

CASES = [
    Case("mlp", MLP(hidden=16, dropout_rate=0.3), vectors, 2 * 16 * EMBED + 16 + EMBED),
    Case(
        "mlp_squared_relu",
        MLP(hidden=16, activation=squared_relu, use_bias=False),
        vectors,
        2 * 16 * EMBED,
    ),
    Case("xielu", XIELU(beta=0.25), vectors, 2, shared=False),
    Case(
        "clamped_gated_mlp",
        ClampedGatedMLP(hidden=12, limit=0.5),
        vectors,
        3 * 12 * EMBED + 2 * 12 + EMBED,
    ),
    Case("gated_mlp", GatedMLP(hidden=12, dropout_rate=0.3), vectors, 3 * 12 * EMBED),
]


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1.0 + np.exp(-x))


@reference.register
@per_token
def _(block: MLP, params: Params, x: np.ndarray) -> np.ndarray:
    if isinstance(block.activation, XIELU):
        own = params["activation"]
        h = linear(params["up"], x)[None]
        return linear(params["down"], reference(block.activation, own, h)[0])
    activation = {squared_relu: lambda h: np.maximum(h, 0.0) ** 2}.get(block.activation, gelu)
    return linear(params["down"], activation(linear(params["up"], x)))


@reference.register
@per_token
def _(block: XIELU, params: Params, x: np.ndarray) -> np.ndarray:
    above = math.log1p(math.exp(params["positive"]))
    below = block.beta + math.log1p(math.exp(params["negative"]))
    sides = [above * v * v if v > 0 else below * (math.exp(v) - 1.0 - v) for v in x]
    return np.array(sides) + block.beta * x


@reference.register
@per_token
def _(block: ClampedGatedMLP, params: Params, x: np.ndarray) -> np.ndarray:
    gate = np.minimum(linear(params["gate"], x), block.limit)
    up = np.clip(linear(params["up"], x), -block.limit, block.limit)
    return linear(params["down"], gate / (1.0 + np.exp(-1.702 * gate)) * (up + 1.0))


@reference.register
@per_token
def _(block: GatedMLP, params: Params, x: np.ndarray) -> np.ndarray:
    return linear(params["down"], silu(linear(params["gate"], x)) * linear(params["up"], x))
