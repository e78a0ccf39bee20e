"""What all MLPs share: activations that learn, dtypes, and subclasses of the base."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import MLP, ClampedGatedMLP, GatedMLP, Stack
from blocks.mlp.base import BaseMLP

EMBED, HIDDEN = 4, 6
KINDS = [MLP, GatedMLP, ClampedGatedMLP]


class LearnedSlope(nn.Module):
    """An activation with one parameter."""

    @nn.compact
    def __call__(self, h: jax.Array) -> jax.Array:
        slope = self.param("slope", nn.initializers.ones, ())
        return jnp.tanh(slope * h.astype(jnp.float32))


def tokens(dtype: jnp.dtype = jnp.float32) -> jax.Array:
    return jax.random.normal(jax.random.key(0), (2, 3, EMBED), dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_a_learned_activation_has_parameters_under_the_slot_and_a_gradient(kind: type) -> None:
    mlp = kind(hidden=HIDDEN, activation=LearnedSlope())
    variables = mlp.init(jax.random.key(1), tokens())
    assert variables["params"]["activation"] == {"slope": 1.0}
    gradient = jax.jit(jax.grad(lambda v: mlp.apply(v, tokens()).sum()))(variables)
    assert gradient["params"]["activation"]["slope"] != 0.0


@pytest.mark.parametrize("scan", [False, True])
def test_every_layer_has_its_own_learned_activation(scan: bool) -> None:
    stack = Stack(block=MLP(hidden=HIDDEN, activation=LearnedSlope()), depth=3, scan=scan)
    params = stack.init(jax.random.key(1), tokens())["params"]
    slopes = [leaf for path, leaf in jax.tree.leaves_with_path(params) if "slope" in str(path)]
    assert sum(leaf.size for leaf in slopes) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_in_float32_leaves_a_bfloat16_layer_in_bfloat16(kind: type) -> None:
    mlp = kind(hidden=HIDDEN, activation=LearnedSlope(), param_dtype=jnp.bfloat16)
    x = tokens(jnp.bfloat16)
    assert mlp.init_with_output(jax.random.key(1), x)[0].dtype == jnp.bfloat16


def test_the_gate_of_a_clamped_mlp_is_activated_within_its_bound() -> None:
    mlp = ClampedGatedMLP(hidden=HIDDEN, limit=0.25, activation=jnp.exp, use_bias=False)
    x = 100.0 * jnp.ones((1, EMBED))
    params = {"down": {"kernel": jnp.ones((HIDDEN, EMBED))}}
    params |= {name: {"kernel": jnp.ones((EMBED, HIDDEN))} for name in ("gate", "up")}
    want = HIDDEN * np.exp(0.25) * (0.25 + 1.0)
    np.testing.assert_allclose(
        mlp.apply({"params": params}, x), np.full((1, EMBED), want), rtol=1e-6
    )


def test_a_subclass_says_only_how_its_features_are_made() -> None:
    class Bilinear(BaseMLP, kw_only=True):
        def hidden_features(self, x: jax.Array) -> jax.Array:
            return self.project("left", x) * self.project("right", x)

    mlp = Bilinear(hidden=HIDDEN, activation=jnp.tanh, use_bias=False)
    variables = mlp.init(jax.random.key(1), tokens())
    left, right, down = (variables["params"][n]["kernel"] for n in ("left", "right", "down"))
    want = ((tokens() @ left) * (tokens() @ right)) @ down
    np.testing.assert_allclose(mlp.apply(variables, tokens()), want, rtol=1e-5, atol=1e-5)


def test_a_subclass_without_features_says_what_to_define() -> None:
    class Empty(BaseMLP, kw_only=True):
        pass

    with pytest.raises(TypeError, match="Empty has no `hidden_features`: define the method"):
        Empty(hidden=HIDDEN, activation=jnp.tanh).init(jax.random.key(0), tokens())
