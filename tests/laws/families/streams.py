"""Layers that carry several streams, and skips across a stack."""

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.attention import attention
from laws.families.residual import Norm, Row, Sublayers, layout, small
from laws.references import Params, reference

from blocks import MLP, PreNorm, RMSNorm, SkipStack, Stack
from blocks.residual import HyperConnections, ResiDual, StochasticDepth, Streams

E = EMBED
SMALL = 2 * 4 * E + 2 * 6 * E
N = 3
ATTENTION = attention(num_heads=2, use_bias=False)
ATTENDING = small(
    HyperConnections(num_streams=N),
    attention=ATTENTION,
    mlp=MLP(hidden=4, use_bias=False, dropout_rate=0.3),
)
# Weights of one sublayer: static, from the token, scales.
CONNECTIONS = N * (N + 1) + N + E * (N + 1) + E + 2

CASES = [
    Case(
        "hyper_connections",
        Streams(stack=Stack(block=ATTENDING, depth=2)),
        vectors,
        2 * (4 * E * E + 2 * 4 * E + 4 * E + 2 * CONNECTIONS),
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "resi_dual",
        Streams(
            stack=Stack(block=small(StochasticDepth(residual=ResiDual(), rate=0.3)), depth=2),
            norm=RMSNorm(),
        ),
        vectors,
        2 * (SMALL + 2 * E) + E,
    ),
    Case(
        "skip_stack",
        SkipStack(block=small(PreNorm(), dropout_rate=0.3), depth=5),
        vectors,
        5 * (SMALL + 2 * E) + 2,
    ),
    Case(
        "skip_stack_attending",
        SkipStack(block=small(PreNorm(), attention=ATTENTION), depth=2, remat=True),
        vectors,
        2 * (4 * E * E + 2 * 6 * E + 2 * E) + 1,
        mixes=True,
        caches=True,
        heavy=True,
    ),
]


@layout.register
def _(
    residual: HyperConnections,
    params: Params,
    x: Row,
    sublayers: Sublayers,
    norm: Norm,
    *others: Row,
) -> Row:
    # Hyper hidden matrices of the paper, token by token: n rows of embed.
    n = residual.num_streams
    hidden = [token.reshape(n, -1) for token in x]
    for name, sublayer in sublayers.items():
        own = params[name]
        mixed, beta = [], []
        for matrix in hidden:
            seen = norm(f"{name}_streams_norm", matrix)
            alpha = own["alpha"] + own["alpha_scale"] * np.tanh(seen @ own["alpha_kernel"])
            beta.append(own["beta"] + own["beta_scale"] * np.tanh(seen @ own["beta_kernel"])[:, 0])
            mixed.append(alpha.T @ matrix)
        result = sublayer(norm(f"{name}_norm", np.stack([matrix[0] for matrix in mixed])))
        hidden = [m[1:] + np.outer(b, y) for m, b, y in zip(mixed, beta, result, strict=True)]
    return np.stack([matrix.reshape(-1) for matrix in hidden])


@layout.register
def _(residual: ResiDual, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *_: Row) -> Row:
    post, dual = np.split(x, 2, axis=-1)
    for name, sublayer in sublayers.items():
        result = sublayer(post)
        dual = dual + result
        post = norm(f"{name}_norm", post + result)
    return np.concatenate([post, dual], axis=-1)


@reference.register
def _(block: Streams, params: Params, x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    if block.norm is None:
        n = block.stack.block.residual.num_streams
        x = reference(block.stack, params["stack"], np.concatenate([x] * n, axis=-1), *others)
        return sum(np.split(x, n, axis=-1))
    x = reference(block.stack, params["stack"], np.concatenate([x, x], axis=-1), *others)
    post, dual = np.split(x, 2, axis=-1)
    return post + reference(block.norm, params["norm"], dual)


@reference.register
def _(block: SkipStack, params: Params, x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    outputs: list[np.ndarray] = []
    for layer in range(block.depth):
        mirror = block.depth - 1 - layer
        if mirror < layer:
            weight = params["skip_weights"][layer - (block.depth + 1) // 2]
            x = x + weight * outputs[mirror]
        x = reference(block.block, params[f"layer_{layer}"], x, *others)
        outputs.append(x)
    return x
