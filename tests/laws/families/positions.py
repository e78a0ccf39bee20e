"""Positions that are added to embeddings, and those that turn queries and keys."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, reference

from blocks import LearnedPositions, RoPE, SinusoidalPositions
from blocks.positions import NormedPositions


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
    Case(
        "sinusoidal_positions_halves",
        SinusoidalPositions(interleaved=False, endpoint=True, offset=2),
        placed,
        0,
        shared=False,
    ),
    Case(
        "normed_positions",
        NormedPositions(position=SinusoidalPositions()),
        placed,
        2 * EMBED,
        shared=False,
    ),
]


@reference.register
def _(block: LearnedPositions, params: Params, x: np.ndarray, *at: np.ndarray) -> np.ndarray:
    return np.stack([token + params["embedding"][t + block.offset] for t, token in enumerate(x)])


@reference.register
def _(block: SinusoidalPositions, params: Params, x: np.ndarray, *at: np.ndarray) -> np.ndarray:
    out = x.copy()
    half = x.shape[1] // 2
    for t, i in np.ndindex(x.shape):
        pair, cosine = (i // 2, i % 2) if block.interleaved else (i % half, i // half)
        exponent = pair / (half - 1 if block.endpoint else half)
        angle = (t + block.offset) / block.max_wavelength**exponent
        out[t, i] += math.cos(angle) if cosine else math.sin(angle)
    return out


@reference.register
def _(block: NormedPositions, params: Params, x: np.ndarray, *at: np.ndarray) -> np.ndarray:
    return reference(block.position, {}, reference(block.norm, params["norm"], x), *at)


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
