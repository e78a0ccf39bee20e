import dataclasses
import math
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import MuonDimensionNumbers

from blocks import override
from recipes.config import GPTConfig
from recipes.nanogpt import build_gpt
from recipes.trainer.optimizers import build_optimizer, decays, layer_matrices, schedule
from recipes.trainer.settings import OptimizerSettings

SETTINGS = OptimizerSettings(
    learning_rate=1e-3, min_learning_rate=1e-4, warmup_steps=100, decay_steps=2000
)


def nanogpt_rate(step: int) -> float:
    """Its `get_lr`, from the description in its source."""
    if step < 100:
        return 1e-3 * (step + 1) / 101
    if step > 2000:
        return 1e-4
    ratio = (step - 100) / 1900
    return 1e-4 + 0.5 * (1.0 + math.cos(math.pi * ratio)) * 9e-4


@pytest.mark.parametrize("step", [0, 1, 99, 100, 101, 1050, 1999, 2000, 2001, 5000])
def test_the_schedule_is_nanogpts(step: int) -> None:
    np.testing.assert_allclose(schedule(SETTINGS, 9)(step), nanogpt_rate(step), rtol=1e-5)


def test_without_a_minimum_the_rate_is_constant() -> None:
    settings = OptimizerSettings(learning_rate=3e-4, min_learning_rate=None, warmup_steps=0)
    rates = [float(schedule(settings, 100)(step)) for step in (0, 50, 100, 500)]
    np.testing.assert_allclose(rates, [3e-4] * 4, rtol=1e-6)


def test_matrices_decay_and_head_biases_do_not() -> None:
    params = {
        "embed": {"embedding": jnp.ones((5, 4))},
        "layers": {
            "query": {"kernel": jnp.ones((2, 4, 2, 2)), "bias": jnp.ones((2, 2, 2))},
            "norm": {"scale": jnp.ones((2, 4))},
        },
    }
    assert decays(params) == {
        "embed": {"embedding": True},
        "layers": {"query": {"kernel": True, "bias": False}, "norm": {"scale": False}},
    }
    # Without a gradient only decay moves a parameter: by rate * weight_decay * itself.
    optimizer = build_optimizer(OptimizerSettings(warmup_steps=0, weight_decay=0.5), 10)
    zero = {
        "embed": {"embedding": jnp.zeros((5, 4))},
        "layers": {
            "query": {"kernel": jnp.zeros((2, 4, 2, 2)), "bias": jnp.zeros((2, 2, 2))},
            "norm": {"scale": jnp.zeros((2, 4))},
        },
    }
    updates: Any = optimizer.update(zero, optimizer.init(params), params)[0]
    np.testing.assert_allclose(updates["embed"]["embedding"], -5e-4, rtol=1e-5)
    chex.assert_trees_all_equal(updates["layers"]["query"]["bias"], jnp.zeros((2, 2, 2)))


def test_gradients_are_clipped_to_the_norm() -> None:
    params = {"kernel": jnp.zeros((2, 2))}
    gradient = {"kernel": jnp.full((2, 2), 100.0)}
    small = {"kernel": jnp.full((2, 2), 0.5)}
    optimizer = build_optimizer(OptimizerSettings(clip_norm=1.0, weight_decay=0.0), 10)
    clipped, _ = optimizer.update(gradient, optimizer.init(params), params)
    same, _ = optimizer.update(small, optimizer.init(params), params)
    chex.assert_trees_all_close(clipped, same, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "step", "expected"),
    [
        # From 1e-3 at step 100 to 1e-4 at step 2000, in straight lines.
        ("linear", 100, 1e-3),
        ("linear", 1050, 5.5e-4),
        ("linear", 2000, 1e-4),
        ("linear", 3000, 1e-4),
        ("stable", 100, 1e-3),
        ("stable", 100 + 1520, 1e-3),
        ("stable", 100 + 1710, 5.5e-4),
        ("stable", 2000, 1e-4),
    ],
)
def test_other_schedules_fall_in_straight_lines(name: Any, step: int, expected: float) -> None:
    settings = dataclasses.replace(SETTINGS, schedule=name)
    np.testing.assert_allclose(schedule(settings, 9)(step), expected, rtol=1e-5)


def test_another_peak_scales_the_whole_schedule() -> None:
    for step in (0, 100, 1500, 9999):
        twice = schedule(SETTINGS, 9, peak=2e-3)(step)
        np.testing.assert_allclose(twice, 2 * schedule(SETTINGS, 9)(step), rtol=1e-6)


def shapes_of(model: Any) -> Any:
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    return jax.eval_shape(model.init, jax.random.key(0), tokens)["params"]


def test_matrices_of_layers_are_told_by_their_names() -> None:
    gpt = build_gpt(GPTConfig(num_layers=2, num_heads=2, features=8, context=4, vocab_size=5))
    found = layer_matrices(shapes_of(gpt))
    layer = found["stack"]["layer_0"]
    assert layer["attention"]["query"]["kernel"] == ((0,), (1, 2))
    assert layer["attention"]["out"]["kernel"] == ((0, 1), (2,))
    assert layer["mlp"]["up"]["kernel"] == layer["mlp"]["down"]["kernel"] == ((0,), (1,))
    matrices = jax.tree.leaves(found, is_leaf=lambda leaf: isinstance(leaf, MuonDimensionNumbers))
    assert len(matrices) == 2 * 6
    assert jax.tree.leaves({**found, "stack": None}) == []


def test_a_scanned_stack_is_a_batch_of_matrices() -> None:
    gpt = build_gpt(GPTConfig(num_layers=2, num_heads=2, features=8, context=4, vocab_size=5))
    attention = layer_matrices(shapes_of(override(gpt, scan=True)))["stack"]["layers"]["attention"]
    assert attention["query"]["kernel"] == ((1,), (2, 3))
    assert attention["out"]["kernel"] == ((1, 2), (3,))


def test_muon_moves_a_matrix_equally_far_in_all_directions() -> None:
    # Gradients that differ by a factor of 100 between directions.
    left, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))
    right, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))
    sizes = np.geomspace(0.1, 10.0, 8)
    kernel = ((left * sizes) @ right).reshape(8, 2, 4)
    params: Any = {"query": {"kernel": jnp.zeros((8, 2, 4)), "bias": jnp.zeros((2, 4))}}
    gradient = {"query": {"kernel": jnp.asarray(kernel), "bias": jnp.full((2, 4), 3.0)}}
    settings = OptimizerSettings(
        name="muon", warmup_steps=0, muon_learning_rate=0.5, clip_norm=None, weight_decay=0.0
    )
    optimizer = build_optimizer(settings, 10)
    updates: Any = optimizer.update(gradient, optimizer.init(params), params)[0]
    moved = updates["query"]
    directions = -left.T @ np.asarray(moved["kernel"]).reshape(8, 8) @ right.T / 0.5
    np.testing.assert_allclose(np.diag(directions), 1.0, atol=0.35)
    np.testing.assert_allclose(directions, np.diag(np.diag(directions)), atol=1e-4)
    # The first step of Adam with Nesterov's momentum (Dozat, 2016) on what is no matrix.
    np.testing.assert_allclose(moved["bias"], -1e-3 * (1.0 + 0.09 / 0.19), rtol=1e-3)


def test_lion_moves_by_signs() -> None:
    params = {"kernel": jnp.zeros((2, 2))}
    gradient = {"kernel": jnp.asarray([[3.0, -0.1], [-20.0, 0.5]])}
    settings = OptimizerSettings(name="lion", warmup_steps=0, clip_norm=None)
    optimizer = build_optimizer(settings, 10)
    moved: Any = optimizer.update(gradient, optimizer.init(params), params)[0]
    np.testing.assert_allclose(moved["kernel"], [[-1e-3, 1e-3], [1e-3, -1e-3]], rtol=1e-5)


def test_adafactor_keeps_sums_of_rows_and_columns() -> None:
    params = {"kernel": jnp.zeros((256, 512))}
    state = build_optimizer(OptimizerSettings(name="adafactor"), 10).init(params)
    assert sum(leaf.size for leaf in jax.tree.leaves(state)) < 256 + 512 + 10


@pytest.mark.parametrize("name", ["adamw", "lion", "adafactor", "muon", "soap"])
def test_every_optimiser_lowers_a_loss(name: Any) -> None:
    settings = OptimizerSettings(
        name=name, learning_rate=3e-2, min_learning_rate=None, warmup_steps=0, weight_decay=0.0
    )
    optimizer = build_optimizer(settings, 60)
    params = {"up": {"kernel": jnp.ones((4, 6))}, "scale": jnp.ones(6)}

    def loss(params: Any) -> Any:
        return jnp.square(params["up"]["kernel"] * params["scale"][None] - 0.3).mean()

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    start = loss(params)
    for _ in range(60):
        params, state = step(params, state)
    assert loss(params) < 0.2 * start
