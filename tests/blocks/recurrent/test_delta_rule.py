"""The gated delta rule: chunks against the recurrence of the paper, documents, padding, memory."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, normal

from blocks import Context, GatedDeltaNet
from blocks.recurrent.delta_rule import gated_delta_rule

BATCH, SEQ, HEADS, DIM, VALUE = 2, 11, 2, 3, 4
RUNS = np.array([[0] * SEQ, [0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4]])


def inputs() -> tuple[jax.Array, ...]:
    keys = jax.random.split(jax.random.key(0), 6)
    query, key = (jax.random.normal(k, (BATCH, SEQ, HEADS, DIM)) for k in keys[:2])
    key = key / jnp.linalg.norm(key, axis=-1, keepdims=True)
    value = jax.random.normal(keys[2], (BATCH, SEQ, HEADS, VALUE))
    log_decay = -3.0 * jax.random.uniform(keys[3], (BATCH, SEQ, HEADS))
    beta = jax.random.uniform(keys[4], (BATCH, SEQ, HEADS))
    state = jax.random.normal(keys[5], (BATCH, HEADS, DIM, VALUE))
    return query, key, value, log_decay, beta, state


def recurrence(*arrays: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Equation 10 of the paper, a token at a time, with the state as values x keys."""
    query, key, value, log_decay, beta, states = (np.asarray(x, np.float64) for x in arrays)
    read, left = np.zeros(value.shape), np.zeros(states.shape)
    for b, h in np.ndindex(BATCH, HEADS):
        state = states[b, h].T
        for t in range(SEQ):
            if RUNS[b, t] != (RUNS[b, t - 1] if t else 0):
                state = np.zeros_like(state)
            k, rate = key[b, t, h], beta[b, t, h]
            state = np.exp(log_decay[b, t, h]) * state @ (np.eye(DIM) - rate * np.outer(k, k))
            state = state + rate * np.outer(value[b, t, h], k)
            read[b, t, h] = state @ query[b, t, h]
        left[b, h] = state.T
    return read, left


@functools.partial(jax.jit, static_argnames="chunk_size")
def rule(*arrays: jax.Array, chunk_size: int) -> tuple[jax.Array, jax.Array]:
    return gated_delta_rule(*arrays[:-1], jnp.asarray(RUNS), arrays[-1], chunk_size)


@pytest.mark.parametrize("chunk_size", [1, 4, 64])
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


def test_what_is_written_under_a_key_is_replaced_and_read_back() -> None:
    key = jnp.eye(DIM)[jnp.array([0, 1, 0])][None, :, None]
    value = jnp.arange(3.0 * VALUE).reshape(1, 3, 1, VALUE)
    keep, write = jnp.zeros((1, 3, 1)), jnp.ones((1, 3, 1))
    runs, empty = jnp.zeros((1, 3), jnp.int32), jnp.zeros((1, 1, DIM, VALUE))
    run = jax.jit(gated_delta_rule, static_argnums=7)
    _, state = run(key, key, value, keep, write, runs, empty, 2)
    np.testing.assert_allclose(state[0, 0, 0], value[0, 2, 0], atol=1e-6)
    np.testing.assert_allclose(state[0, 0, 1], value[0, 1, 0], atol=1e-6)


def test_decays_too_strong_for_an_exponential_stay_finite() -> None:
    query, key, value, _, beta, state = inputs()
    strong = jnp.full((BATCH, SEQ, HEADS), -1e3)

    def total(strong: jax.Array) -> jax.Array:
        return rule(query, key, value, strong, beta, state, chunk_size=64)[0].sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(strong)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_values_may_be_wider_and_convolutions_left_out() -> None:
    block = GatedDeltaNet(num_heads=2, head_dim=3, value_dim=5, convolution=None)
    shapes = jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 4, 8)))
    assert shapes[0].shape == (1, 4, 8)
    assert not [name for name in shapes[1]["params"] if "convolution" in name]


def test_it_starts_as_published_models_do() -> None:
    block = GatedDeltaNet(num_heads=200, head_dim=1)
    params = jax.jit(block.init)(jax.random.key(0), jnp.ones((1, 1, 2)))["params"]
    rates, steps = np.exp(params["log_rate"]), np.log1p(np.exp(params["step"]))
    assert rates.min() > 0.0
    assert rates.max() < 16.0
    np.testing.assert_allclose(rates.mean(), 8.0, rtol=0.15)
    assert steps.min() > 0.99e-3
    assert steps.max() < 1.01e-1
    np.testing.assert_allclose(np.log(steps).mean(), np.log(1e-2), rtol=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GatedDeltaNet(num_heads=0), "num_heads=0 must be at least 1"),
        (lambda: GatedDeltaNet(num_heads=2, value_dim=0), "value_dim=0 must be at least 1"),
        (
            lambda: GatedDeltaNet(num_heads=4, num_key_heads=3),
            "num_key_heads=3 must divide num_heads=4; use 1, 2 or 4",
        ),
        (
            lambda: GatedDeltaNet(num_heads=3).init(jax.random.key(0), jnp.ones((1, 2, 8))),
            "num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or give head_dim",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_padding_writes_nothing_into_the_state() -> None:
    block = GatedDeltaNet(num_heads=2, head_dim=3)
    x = normal(0, (1, 5, 8))
    params = drawn_variables(block, x, seed=1)["params"]
    real = jnp.array([[True, False, True, True, False]])

    @jax.jit
    def state(x: jax.Array, valid: jax.Array | None) -> jax.Array:
        context = Context(valid=valid, cache_size=1)
        _, left = block.apply({"params": params}, x, context, mutable=["cache"])
        return left["cache"]["recurrent"].state

    alone = state(x[:, np.flatnonzero(real[0])], None)
    np.testing.assert_allclose(state(x, real), alone, rtol=1e-5, atol=1e-6)
