"""The delta rule with a decay per feature: chunks against the recurrence of the paper."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks.recurrent import KimiDeltaAttention
from blocks.recurrent.delta_rule import gated_delta_rule
from blocks.recurrent.feature_delta_rule import feature_delta_rule

BATCH, SEQ, HEADS, DIM, VALUE = 2, 11, 2, 3, 4
RUNS = np.array([[0] * SEQ, [0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4]])


def inputs() -> tuple[jax.Array, ...]:
    keys = jax.random.split(jax.random.key(0), 6)
    query, key = (jax.random.normal(k, (BATCH, SEQ, HEADS, DIM)) for k in keys[:2])
    key = key / jnp.linalg.norm(key, axis=-1, keepdims=True)
    value = jax.random.normal(keys[2], (BATCH, SEQ, HEADS, VALUE))
    log_decay = -3.0 * jax.random.uniform(keys[3], (BATCH, SEQ, HEADS, DIM))
    beta = jax.random.uniform(keys[4], (BATCH, SEQ, HEADS))
    state = jax.random.normal(keys[5], (BATCH, HEADS, DIM, VALUE))
    return query, key, value, log_decay, beta, state


def recurrence(*arrays: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Equation 1 of the paper, a token at a time, with the state as keys x values."""
    query, key, value, log_decay, beta, states = (np.asarray(x, np.float64) for x in arrays)
    read, left = np.zeros(value.shape), np.zeros(states.shape)
    for b, h in np.ndindex(BATCH, HEADS):
        state = states[b, h]
        for t in range(SEQ):
            if RUNS[b, t] != (RUNS[b, t - 1] if t else 0):
                state = np.zeros_like(state)
            k, rate = key[b, t, h], beta[b, t, h]
            state = np.diag(np.exp(log_decay[b, t, h])) @ state
            state = (np.eye(DIM) - rate * np.outer(k, k)) @ state
            state = state + rate * np.outer(k, value[b, t, h])
            read[b, t, h] = state.T @ query[b, t, h]
        left[b, h] = state
    return read, left


@functools.partial(jax.jit, static_argnames="chunk_size")
def rule(*arrays: jax.Array, chunk_size: int) -> tuple[jax.Array, jax.Array]:
    return feature_delta_rule(*arrays[:-1], jnp.asarray(RUNS), arrays[-1], chunk_size)


@pytest.mark.parametrize("chunk_size", [1, 4, 16])
def test_chunks_give_what_the_recurrence_gives(chunk_size: int) -> None:
    got = rule(*inputs(), chunk_size=chunk_size)
    for ours, theirs in zip(got, recurrence(*inputs()), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_chunks_change_no_gradient() -> None:
    def total(arrays: tuple[jax.Array, ...], chunk_size: int) -> jax.Array:
        read, state = rule(*arrays, chunk_size=chunk_size)
        return jnp.square(read).sum() + state.sum()

    gradient = jax.jit(jax.grad(total), static_argnums=1)
    for ours, theirs in zip(gradient(inputs(), 4), gradient(inputs(), 1), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_one_decay_for_all_features_is_the_gated_delta_rule() -> None:
    query, key, value, log_decay, beta, state = inputs()
    alike = jnp.broadcast_to(log_decay[..., :1], log_decay.shape)
    ours = rule(query, key, value, alike, beta, state, chunk_size=4)
    past = beta, jnp.asarray(RUNS), state
    theirs = gated_delta_rule(query, key, value, log_decay[..., 0], *past, 4)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_decays_too_strong_for_an_exponential_stay_finite() -> None:
    query, key, value, _, beta, state = inputs()
    strong = jnp.full((BATCH, SEQ, HEADS, DIM), -1e3)

    def total(strong: jax.Array) -> jax.Array:
        return rule(query, key, value, strong, beta, state, chunk_size=16)[0].sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(strong)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_rank_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="rank=0 must be at least 1"):
        KimiDeltaAttention(num_heads=2, rank=0)
