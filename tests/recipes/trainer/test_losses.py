"""Losses beside formulas in numpy, and the chunked one beside the whole."""

import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import override
from recipes.config import GPTConfig
from recipes.nanogpt import build_gpt
from recipes.trainer.losses import chunked_cross_entropy, cross_entropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(2, 5, 7)) * 3.0
TARGETS = RNG.integers(0, 7, (2, 5))
WEIGHTS = np.array([[1.0, 0.0, 2.0, 1.0, 0.5], [0.0, 0.0, 1.0, 1.0, 1.0]])


def expected(z_loss: float, smoothing: float, weights: np.ndarray) -> float:
    normaliser = np.log(np.exp(LOGITS).sum(-1))
    log_p = LOGITS - normaliser[..., None]
    wanted = (1 - smoothing) * np.eye(7)[TARGETS] + smoothing / 7
    losses = -(wanted * log_p).sum(-1) + z_loss * normaliser**2
    return (losses * weights).sum() / weights.sum()


@pytest.mark.parametrize("z_loss", [0.0, 0.3])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all", "weighted"])
def test_the_loss_is_that_of_the_formula(z_loss, smoothing, weights) -> None:
    given = None if weights is None else jnp.asarray(weights)
    loss, metrics = cross_entropy(
        jnp.asarray(LOGITS),
        jnp.asarray(TARGETS),
        given,
        z_loss=z_loss,
        label_smoothing=smoothing,
    )
    weights = np.ones((2, 5)) if weights is None else weights
    np.testing.assert_allclose(loss, expected(z_loss, smoothing, weights), rtol=1e-5)
    np.testing.assert_allclose(metrics["weight"], weights.sum())
    right = (LOGITS.argmax(-1) == TARGETS) * weights
    np.testing.assert_allclose(metrics["accuracy"], right.sum() / weights.sum(), rtol=1e-6)
    if z_loss or smoothing:
        plain = expected(0.0, 0.0, weights)
        np.testing.assert_allclose(metrics["cross_entropy"], plain, rtol=1e-5)
    else:
        assert "cross_entropy" not in metrics


def test_logits_of_bfloat16_are_summed_in_float32() -> None:
    logits = jnp.asarray(LOGITS, jnp.bfloat16)
    loss, _ = cross_entropy(logits, jnp.asarray(TARGETS))
    wide, _ = cross_entropy(logits.astype(jnp.float32), jnp.asarray(TARGETS))
    assert loss.dtype == jnp.float32
    assert loss == wide


@pytest.mark.parametrize("chunk", [1, 2, 5, 9])
def test_chunks_give_the_loss_and_the_gradient_of_the_whole(chunk: int) -> None:
    hidden, table = RNG.normal(size=(2, 5, 4)), RNG.normal(size=(4, 7))
    options = {"z_loss": 0.1, "label_smoothing": 0.1}
    targets, weights = jnp.asarray(TARGETS), jnp.asarray(WEIGHTS)

    def whole(hidden, table):
        return cross_entropy(hidden @ table, targets, weights, **options)

    def chunked(hidden, table):
        return chunked_cross_entropy(
            lambda x: x @ table, hidden, targets, weights, chunk=chunk, **options
        )

    both = [
        jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(
            jnp.asarray(hidden), jnp.asarray(table)
        )
        for loss in (whole, chunked)
    ]
    chex.assert_trees_all_close(*both, rtol=1e-4, atol=1e-6)


def test_chunks_never_hold_all_logits() -> None:
    model = build_gpt(GPTConfig(num_layers=1, num_heads=2, features=8, context=64, vocab_size=4096))
    model = override(model, dropout_rate=0.0)
    tokens = jnp.zeros((2, 64), jnp.int32)
    params = jax.jit(model.init)(jax.random.key(0), tokens)["params"]

    def loss(params):
        hidden = model.apply({"params": params}, tokens, method="hidden")
        logits_of = lambda x: model.apply({"params": params}, x, method="logits")  # noqa: E731
        return chunked_cross_entropy(logits_of, hidden, tokens, chunk=8)[0]

    shapes = re.findall(r"\[(\d+(?:,\d+)*)\]", str(jax.make_jaxpr(jax.grad(loss))(params)))
    sizes = {shape: math.prod(map(int, shape.split(","))) for shape in shapes}
    assert "2,8,4096" in sizes
    assert max(sizes.values()) < 2 * 64 * 4096


@pytest.mark.parametrize(
    ("logits", "targets", "weights"),
    [((2, 7), (3,), None), ((2, 5, 7), (2, 5), (2, 4)), ((2, 5, 7), (2, 5, 1), None)],
)
def test_shapes_that_do_not_go_together(logits, targets, weights) -> None:
    given = None if weights is None else jnp.ones(weights)
    with pytest.raises(ValueError, match=r"logits \[.*\], targets \[.*\] and weights .* do not go"):
        cross_entropy(jnp.zeros(logits), jnp.zeros(targets, jnp.int32), given)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_smoothing_that_is_no_probability(smoothing: float) -> None:
    with pytest.raises(ValueError, match=f"label_smoothing={smoothing} must be"):
        cross_entropy(jnp.zeros((1, 2)), jnp.zeros(1, jnp.int32), label_smoothing=smoothing)


def test_a_chunk_of_nothing() -> None:
    with pytest.raises(ValueError, match="chunk=0 must be at least 1 position"):
        chunked_cross_entropy(lambda x: x, jnp.zeros((1, 2, 3)), jnp.zeros((1, 2), int), chunk=0)
