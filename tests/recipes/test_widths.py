"""Models of several widths under one learning rate (muP)."""

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from blocks import (
    MLP,
    LMHead,
    MixtureOfExperts,
    MultiHeadAttention,
    Normal,
    TokenEmbedding,
    find,
    override,
)
from recipes.config import GPTConfig, Recipe
from recipes.data import load_corpus
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt, next_token_loss
from recipes.runs.published import without_scales
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.settings import OptimizerSettings

CONTEXT, BATCH, VOCAB = 16, 16, 64
SMALL = GPTConfig(
    num_layers=1, num_heads=2, features=16, context=CONTEXT, vocab_size=VOCAB, init_stddev=0.1
)
OPTIMIZER = OptimizerSettings(
    learning_rate=1.0, min_learning_rate=None, warmup_steps=5, beta2=0.95, weight_decay=0.0
)


def batches(steps: int) -> dict[str, np.ndarray]:
    """Windows of a text, whose characters are counted modulo the vocabulary."""
    text = np.frombuffer(load_corpus("manual").text.encode(), np.uint8) % VOCAB
    begins = np.random.default_rng(0).integers(0, len(text) - CONTEXT - 1, (steps, BATCH, 1))
    windows = text[begins + np.arange(CONTEXT + 1)].astype(np.int32)
    return {"inputs": windows[..., :-1], "targets": windows[..., 1:]}


def trained(config: GPTConfig, rate: Any, steps: int) -> tuple[Any, Any, jax.Array]:
    """Parameters before and after some steps, and the losses."""
    model = build_gpt(config)
    optimizer = build_optimizer(OPTIMIZER, steps, config.width_multiplier)

    def step(carry: Any, batch: Any) -> Any:
        params, state = carry
        gradient = jax.value_and_grad(
            lambda params: next_token_loss(model.apply, params, batch, None)[0]
        )
        loss, gradients = gradient(params)
        updates, state = optimizer.update(gradients, state, params)
        updates = jax.tree.map(lambda update: rate * update, updates)
        return (optax.apply_updates(params, updates), state), loss

    before = model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))["params"]
    (after, _), losses = jax.lax.scan(step, (before, optimizer.init(before)), batches(steps))
    return before, after, losses


def best_rate(config: GPTConfig) -> int:
    """Which power of two is the rate after which the loss is lowest."""
    powers = np.arange(-9, -2)
    losses = jax.jit(jax.vmap(lambda rate: trained(config, rate, 40)[2][-8:].mean()))
    return int(powers[np.argmin(losses(jnp.asarray(2.0**powers, jnp.float32)))])


@pytest.mark.slow
@pytest.mark.further  # the next test finds out what makes rates carry over
def test_the_best_rate_is_that_of_a_narrow_model() -> None:
    narrow, wide = SMALL, replace(SMALL, features=64)
    found = best_rate(narrow)
    assert best_rate(replace(wide, base_width=16)) == found
    # Without a base width four times the width wants a rate that is lower, by four in theory.
    assert best_rate(wide) < found


@pytest.mark.slow
def test_a_step_changes_logits_as_much_at_any_width() -> None:
    """The coordinate check of the paper's appendix D.1."""

    def change(config: GPTConfig) -> jax.Array:
        model, inputs = build_gpt(config), batches(3)["inputs"][0]
        before, after, _ = trained(config, 2.0**-6, 3)
        one, other = (model.apply({"params": params}, inputs) for params in (before, after))
        return jnp.abs(other - one).mean()

    wide = replace(SMALL, features=64)
    changes = [
        float(jax.jit(change, static_argnums=0)(config))
        for config in (SMALL, replace(wide, base_width=16), wide)
    ]
    assert changes[1] == pytest.approx(changes[0], rel=0.3)
    assert changes[2] > 2.0 * changes[0], changes


def test_a_wider_model_starts_as_table_8_says() -> None:
    config = replace(SMALL, features=64, base_width=16)
    model = build_gpt(config)
    assert [head.logit_scale for head in find(model, LMHead).values()] == [1 / 4]
    # 1 / sqrt(8) at the base's heads of 8, and falling as 1 / d.
    scales = [part.scale for part in find(model, MultiHeadAttention).values()]
    assert scales == [pytest.approx(1 / math.sqrt(8) / 4)]
    # Matrices by the root of the width, embeddings as they were.
    for part in (MLP, MultiHeadAttention):
        assert [one.kernel_init for one in find(model, part).values()] == [Normal(stddev=0.1 / 2)]
    embeddings = [one.embedding_init for one in find(model, TokenEmbedding).values()]
    assert embeddings == [Normal(stddev=0.02)]


def test_at_its_base_a_model_is_as_without() -> None:
    plain, at_base = build_gpt(SMALL), build_gpt(replace(SMALL, base_width=16))
    (scale,) = (part.scale for part in find(at_base, MultiHeadAttention).values())
    assert scale == pytest.approx(1 / math.sqrt(8))  # what attention takes without a scale
    assert override(at_base, MultiHeadAttention, scale=None) == plain


@pytest.mark.parametrize("name", ["adamw", "lion", "adafactor", "soap"])
def test_matrices_of_layers_learn_more_slowly(name: Any) -> None:
    params = {"up": {"kernel": jnp.ones((4, 6))}, "embed": {"embedding": jnp.ones((5, 4))}}
    settings = replace(OPTIMIZER, name=name, warmup_steps=0)

    def second(width_multiplier: float) -> Any:
        optimizer = build_optimizer(settings, 9, width_multiplier)
        state, updates = optimizer.init(params), params
        for _ in range(2):  # SOAP's first step moves nothing
            updates, state = optimizer.update(params, state, params)
        return updates

    plain, slower = second(1.0), second(4.0)
    np.testing.assert_allclose(slower["up"]["kernel"], plain["up"]["kernel"] / 4, rtol=1e-6)
    np.testing.assert_array_equal(slower["embed"]["embedding"], plain["embed"]["embedding"])


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_router_starts_smaller_and_learns_more_slowly(name: Any) -> None:
    """The matrix of outputs in table 3 of the paper, for Adam, which Muon leaves routers to."""
    model = build_gpt(replace(SMALL, features=64, base_width=16, num_experts=4))
    (mixture,) = find(model, MixtureOfExperts).values()
    assert mixture.router.kernel_init == Normal(stddev=0.02 / 4)
    shapes = jax.eval_shape(mixture.init, jax.random.key(0), jnp.ones((1, 2, 64)))["params"]
    params = {"router": jax.tree.map(jnp.ones_like, shapes["router"])}

    def first(width_multiplier: float) -> Any:
        settings = replace(OPTIMIZER, name=name, warmup_steps=0)
        optimizer = build_optimizer(settings, 9, width_multiplier)
        return optimizer.update(params, optimizer.init(params), params)[0]

    jax.tree.map(
        lambda slower, plain: np.testing.assert_allclose(slower, plain / 4, rtol=1e-6),
        first(4.0),
        first(1.0),
    )


@pytest.mark.slow
def test_a_published_form_has_its_scales_in_parameters() -> None:
    config = replace(SMALL, features=64, base_width=16, use_bias=True, use_qkv_bias=True)
    plain = replace(config, base_width=None)
    tokens = np.arange(12, dtype=np.int32).reshape(2, 6)
    shapes = jax.eval_shape(build_gpt(config).init, jax.random.key(0), tokens)["params"]
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.float32(0.3 * random.normal(size=leaf.shape)), shapes)
    one = build_gpt(config).apply({"params": params}, tokens)
    other = build_gpt(plain).apply({"params": without_scales(params, config)}, tokens)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_published_model_has_no_base() -> None:
    with pytest.raises(RecipeError, match=r"base_width=16 is for a new model, and init_from=x"):
        Recipe(init_from="x", model=replace(SMALL, base_width=16))
