import math
from typing import Any

import chex
import jax.numpy as jnp
import numpy as np
import pytest

from recipes.trainer.optimizers import adamw, decays, schedule
from recipes.trainer.settings import AdamWSettings

SETTINGS = AdamWSettings(
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
    settings = AdamWSettings(learning_rate=3e-4, min_learning_rate=None, warmup_steps=0)
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
    optimizer = adamw(AdamWSettings(warmup_steps=0, weight_decay=0.5), 10)
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
    optimizer = adamw(AdamWSettings(clip_norm=1.0, weight_decay=0.0), 10)
    clipped, _ = optimizer.update(gradient, optimizer.init(params), params)
    same, _ = optimizer.update(small, optimizer.init(params), params)
    chex.assert_trees_all_close(clipped, same, rtol=1e-6)
