"""Hedgehog's maps learn a softmax: what the loss says, whom it teaches, how close they come."""

import pydoc_data.topics
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import Causal, Context, LayerNorm, LinearAttention, MultiHeadAttention
from blocks.core import VarianceScaling
from blocks.moe import auxiliary_losses
from blocks.recurrent import (
    EluFeatures,
    FeatureMap,
    Hedgehog,
    HedgehogDistillation,
    TaylorFeatures,
    hedgehog_loss,
)

WIDTH, HEADS, SEQ = 32, 2, 64
FIELDS = {"num_heads": HEADS, "mask": Causal(), "use_bias": False}


def text() -> jax.Array:
    """Python's own manual, in rows of bytes."""
    topics = pydoc_data.topics.topics
    letters = " ".join(topics[name] for name in ("assignment", "class", "strings", "yield"))
    ids = np.frombuffer(letters.encode("ascii", "replace"), np.uint8)
    return jnp.asarray(ids[: len(ids) // SEQ * SEQ].reshape(-1, SEQ))


def trained() -> tuple[dict, jax.Array]:
    """Attention trained to predict the next letter of the manual, and what it reads there."""
    rows = text()
    attention, norm = MultiHeadAttention(**FIELDS), LayerNorm()
    keys = jax.random.split(jax.random.key(0), 5)
    x = jnp.zeros((1, SEQ, WIDTH))
    params = {
        "letters": 0.3 * jax.random.normal(keys[0], (128, WIDTH)),
        "places": 0.3 * jax.random.normal(keys[1], (SEQ, WIDTH)),
        "attention": attention.init(keys[2], x)["params"],
        "norm": norm.init(keys[3], x)["params"],
        "head": 0.1 * jax.random.normal(keys[4], (WIDTH, 128)),
    }

    def read(params: dict, ids: jax.Array) -> jax.Array:
        x = params["letters"][ids] + params["places"][None]
        return norm.apply({"params": params["norm"]}, x)

    def loss(params: dict, ids: jax.Array) -> jax.Array:
        x = read(params, ids)
        y = x + attention.apply({"params": params["attention"]}, x)
        logits = y[:, :-1] @ params["head"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:]).mean()

    params = descend(loss, params, rows, steps=250, rate=1e-2)
    return params["attention"], read(params, rows)


def descend(loss: Any, params: Any, rows: jax.Array, steps: int, rate: float) -> Any:
    """Adam over random rows, in one compiled loop."""
    adam = optax.adam(optax.cosine_decay_schedule(rate, steps))

    @jax.jit
    def train(params: Any) -> Any:
        def step(carry: tuple, key: jax.Array) -> tuple[tuple, jax.Array]:
            params, state = carry
            chosen = rows[jax.random.randint(key, (16,), 0, len(rows))]
            value, gradient = jax.value_and_grad(loss)(params, chosen)
            updates, state = adam.update(gradient, state)
            return (optax.apply_updates(params, updates), state), value

        keys = jax.random.split(jax.random.key(9), steps)
        return jax.lax.scan(step, (params, adam.init(params)), keys)

    return train(params)[0][0]


def weights_of(params: dict, x: jax.Array, feature_map: FeatureMap | None) -> np.ndarray:
    """Weights in float64, of softmax attention without a map, of linear attention with one."""
    q, k = (jnp.einsum("bse,ehd->bshd", x, params[name]["kernel"]) for name in ("query", "key"))
    if feature_map is None:
        q = q * q.shape[-1] ** -0.5
        raw = np.exp(np.einsum("bqhd,bshd->bhqs", q, k, optimize=True).astype(np.float64))
    else:
        q, k = (
            jitted(feature_map, {"params": params.get(f"{name}_features", {})}, side)
            for name, side in {"query": q, "key": k}.items()
        )
        raw = np.einsum("bqhd,bshd->bhqs", q, k, optimize=True).astype(np.float64)
    raw = raw * np.tri(x.shape[1])
    return raw / raw.sum(axis=-1, keepdims=True)


@pytest.mark.slow  # trains twice; the others hold what it trains by
def test_trained_maps_weigh_the_words_of_a_text_much_as_the_softmax_does() -> None:
    attention, read = trained()
    seen, held_out = read[:-16], read[-16:]
    target = weights_of(attention, held_out, None)
    hedgehog = Hedgehog(features=64, kernel_init=VarianceScaling())
    teacher = HedgehogDistillation(**FIELDS, feature_map=hedgehog)
    fresh = {**drawn_variables(teacher, held_out, seed=1)["params"], **attention}

    def loss(params: dict, rows: jax.Array) -> jax.Array:
        _, said = teacher.apply({"params": params}, rows, mutable=["losses"])
        return auxiliary_losses(said)["hedgehog"]

    def divergence(params: dict, feature_map: FeatureMap) -> float:
        weights = weights_of(params, held_out, feature_map)
        ratio = np.log(np.maximum(target, 1e-30) / np.maximum(weights, 1e-30))
        return float((target * ratio).sum(axis=-1).mean())

    learned = descend(loss, fresh, seen, steps=200, rate=3e-2)
    after = divergence(learned, hedgehog)
    # The softmax is worth learning: it is far from even.
    assert np.median(target.max(axis=-1)) > 0.2
    assert after < 0.25 * divergence(fresh, hedgehog)
    assert after < 0.25 * divergence(attention, EluFeatures())
    assert after < 0.5 * divergence(attention, TaylorFeatures())


def test_the_loss_is_the_cross_entropy_of_rows_and_least_where_both_agree() -> None:
    target = jnp.array([[[[1.0, 0.0], [0.25, 0.75]]]])
    guess = jnp.array([[[[1.0, 0.0], [0.5, 0.5]]]])
    np.testing.assert_allclose(hedgehog_loss(guess, target), np.log(2.0) / 2, rtol=1e-6)
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / 2
    np.testing.assert_allclose(hedgehog_loss(target, target), entropy, rtol=1e-6)
    second = jnp.array([[False, True]])
    np.testing.assert_allclose(hedgehog_loss(guess, target, second), np.log(2.0), rtol=1e-6)
    assert hedgehog_loss(guess, target, jnp.zeros((1, 2), bool)) == 0.0
    assert not jax.grad(hedgehog_loss, argnums=1)(guess, target).any()


def test_the_teacher_attends_as_trained_attention_and_teaches_the_maps_alone() -> None:
    fields = {"num_heads": 4, "num_kv_heads": 2, "mask": Causal()}
    teacher = HedgehogDistillation(**fields, feature_map=Hedgehog())
    x = normal(0, (2, 5, 8))
    params = drawn_variables(teacher, x, seed=1)["params"]
    own = {name: params[name] for name in ("query", "key", "value", "out")}
    context = Context(valid=jnp.ones((2, 5), bool).at[0, 3:].set(False))

    def loss(params: dict) -> tuple[jax.Array, jax.Array]:
        y, said = teacher.apply({"params": params}, x, context, mutable=["losses"])
        return auxiliary_losses(said)["hedgehog"], y

    gradient, y = jax.jit(jax.grad(loss, has_aux=True))(params)
    softmax = jitted(MultiHeadAttention(**fields), {"params": own}, x, context)
    np.testing.assert_allclose(y, softmax, rtol=1e-5, atol=1e-6)
    taught = {name for name, leaves in gradient.items() if leaves["kernel"].any()}
    assert taught == {"query_features", "key_features"}
    student = LinearAttention(**fields, feature_map=Hedgehog())
    shapes = jax.eval_shape(student.init, jax.random.key(1), x)["params"]
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)


def test_a_teacher_keeps_no_cache() -> None:
    teacher = HedgehogDistillation(num_heads=2, mask=Causal())
    with pytest.raises(ValueError, match=r"keeps no cache; decode with the LinearAttention"):
        teacher.init(jax.random.key(0), jnp.ones((1, 2, 8)), Context(cache_size=4))
