"""Positions that are added to embeddings, and those that turn queries and keys."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, reference

from blocks import LearnedPositions, RoPE, SinusoidalPositions


def placed(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jnp.arange(seq)[None])


CASES = [
    Case("learned_positions", LearnedPositions(max_length=32), placed, 32 * EMBED, shared=False),
    Case(
        "learned_positions_offset",
        LearnedPositions(max_length=32, offset=2),
        placed,
        34 * EMBED,
        shared=False,
    ),
    Case("sinusoidal_positions", SinusoidalPositions(), placed, 0, shared=False),
]


@reference.register
def _(block: LearnedPositions, params: Params, x: np.ndarray, *at: np.ndarray) -> np.ndarray:
    return np.stack([token + params["embedding"][t + block.offset] for t, token in enumerate(x)])


@reference.register
def _(block: SinusoidalPositions, params: Params, x: np.ndarray, *at: np.ndarray) -> np.ndarray:
    out = x.copy()
    for t, i in np.ndindex(x.shape):
        angle = t / block.max_wavelength ** (2 * (i // 2) / x.shape[1])
        out[t, i] += math.cos(angle) if i % 2 else math.sin(angle)
    return out


def rotated(rope: RoPE, x: np.ndarray, position: int) -> np.ndarray:
    """Pairs of features as complex numbers, turned by multiplication."""
    turning = int(len(x) * rope.fraction)
    half = turning // 2
    out = x.copy()
    for i in range(half):
        a, b = (2 * i, 2 * i + 1) if rope.interleaved else (i, i + half)
        turned = (x[a] + 1j * x[b]) * np.exp(1j * position * rope.theta ** (-2.0 * i / turning))
        out[a], out[b] = turned.real, turned.imag
    return out
