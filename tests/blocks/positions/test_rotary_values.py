"""Rotary values: each turns as a complex number, by where its key stands."""

import cmath

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.attention_inputs import placed

from blocks import MultiHeadAttention, RoPE
from blocks.context import Coordinates
from blocks.positions import RotaryValues


def test_pairs_turn_by_the_positions_of_keys() -> None:
    value = jax.random.normal(jax.random.key(0), (1, 3, 2, 4))
    query_at = Coordinates(jnp.arange(3)[None], jnp.array([[7, 8, 9]]))
    key_at = Coordinates(jnp.arange(3)[None], jnp.array([[5, 0, 2]]))
    values = RotaryValues(rope=RoPE(theta=9.0, interleaved=True))
    got = values.apply({}, value, placed(query_at, key_at))
    want = np.array(value, np.float64)
    for t, head, i in np.ndindex(3, 2, 2):
        number = complex(value[0, t, head, 2 * i], value[0, t, head, 2 * i + 1])
        number *= cmath.exp(1j * [5, 0, 2][t] * 9.0 ** (-i / 2))
        want[0, t, head, 2 * i : 2 * i + 2] = number.real, number.imag
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_an_odd_number_of_features_is_refused() -> None:
    attention = MultiHeadAttention(num_heads=2, head_dim=3, values=(RotaryValues(),))
    with pytest.raises(ValueError, match=r"head_dim=3 with fraction=1\.0 turns 3 features"):
        attention.init(jax.random.key(0), jnp.ones((1, 2, 6)))
