"""Experts with biases and bounds: against gpt-oss's formulas, and what is refused."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import ClampedGatedExperts
from blocks.moe.experts import Experts

EMBED = 5
ROWS = 4.0 * jax.random.normal(jax.random.key(0), (7, EMBED))
CHOSEN = jnp.array([2, 0, 2, 2, 1, 0, 2])


def noisy(experts: Experts) -> dict:
    leaves, tree = jax.tree.flatten(experts.init(jax.random.key(1), ROWS, CHOSEN))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


def test_every_row_meets_the_formula_of_gpt_oss_with_its_experts_numbers() -> None:
    experts = ClampedGatedExperts(num_experts=3, hidden=4, limit=2.0)
    variables = noisy(experts)
    own = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    want = []
    for row, e in zip(np.asarray(ROWS, np.float64), np.asarray(CHOSEN), strict=True):
        gate = np.minimum(row @ own["gate"]["kernel"][e] + own["gate"]["bias"][e], 2.0)
        up = np.clip(row @ own["up"]["kernel"][e] + own["up"]["bias"][e], -2.0, 2.0)
        hidden = gate / (1.0 + np.exp(-1.702 * gate)) * (up + 1.0)
        want.append(hidden @ own["down"]["kernel"][e] + own["down"]["bias"][e])
    got = experts.apply(variables, ROWS, CHOSEN)
    np.testing.assert_allclose(got, np.stack(want), rtol=1e-5, atol=1e-5)


def test_biases_start_at_zero_and_learn() -> None:
    experts = ClampedGatedExperts(num_experts=3, hidden=4)
    variables = experts.init(jax.random.key(1), ROWS, CHOSEN)
    biases = {name: own["bias"] for name, own in variables["params"].items()}
    assert {name: bias.shape for name, bias in biases.items()} == {
        "gate": (3, 4),
        "up": (3, 4),
        "down": (3, EMBED),
    }
    assert not any(bias.any() for bias in biases.values())
    gradient = jax.grad(lambda v: experts.apply(v, ROWS, CHOSEN).sum())(variables)["params"]
    # Each row adds one to the gradient of its expert's last bias.
    counts = np.bincount(np.asarray(CHOSEN), minlength=3)
    want = np.broadcast_to(counts[:, None], (3, EMBED))
    np.testing.assert_allclose(gradient["down"]["bias"], want, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ClampedGatedExperts(num_experts=0, hidden=4), "num_experts=0 must be at least 1"),
        (lambda: ClampedGatedExperts(num_experts=2, hidden=0), "hidden=0 must be at least 1"),
        (
            lambda: ClampedGatedExperts(num_experts=2, hidden=4, limit=0.0),
            r"limit=0\.0 must be positive; gpt-oss has 7\.",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_base_says_that_it_computes_nothing() -> None:
    experts = Experts(num_experts=3, hidden=4)
    with pytest.raises(TypeError, match="Experts computes nothing: give it a method `_mlp`"):
        experts.init(jax.random.key(0), ROWS, CHOSEN)
