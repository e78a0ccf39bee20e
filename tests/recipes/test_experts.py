"""Experts in place of MLPs, and the loss that keeps them in use, against hand counts."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes.config import GPTConfig
from recipes.errors import RecipeError
from recipes.experts import balance
from recipes.nanogpt import build_gpt, next_token_loss

SIZES = {"num_layers": 1, "num_heads": 2, "features": 8, "context": 8, "vocab_size": 11}
TOKENS = jnp.arange(8)[None]
BATCH = {"inputs": TOKENS, "targets": TOKENS}


def test_a_layer_has_so_many_mlps_and_a_router() -> None:
    def count(config: GPTConfig) -> int:
        shapes = jax.eval_shape(build_gpt(config).init, jax.random.key(0), TOKENS)
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    more = count(GPTConfig(**SIZES, num_experts=4)) - count(GPTConfig(**SIZES))
    assert more == 3 * (2 * 8 * 32) + 8 * 4


def test_more_experts_for_a_token_than_there_are_is_refused() -> None:
    message = r"top_k=2 is more than num_experts=1. Use --model.top-k 1 or fewer."
    with pytest.raises(RecipeError, match=re.escape(message)):
        GPTConfig(num_experts=1)


def reported(variables: Any, *arguments: Any, mutable: Any, **options: Any) -> Any:
    """A model of two layers whose balance and z-loss are multiples of its one parameter."""
    weight = variables["params"]
    layer = {"mlp": {"balance": 3.0 * weight, "router_z": 5.0 * weight}}
    losses = {"losses": {"layer_0": layer, "layer_1": layer}}
    return jnp.zeros((1, 8, 11)), losses


def test_balance_changes_the_gradient_and_not_the_loss() -> None:
    differentiate = jax.value_and_grad(balance(next_token_loss), argnums=1, has_aux=True)
    (value, metrics), gradient = differentiate(reported, jnp.float32(1.0), BATCH, None)
    np.testing.assert_allclose(value, np.log(11), rtol=1e-6)
    assert metrics["balance"] == 3.0
    # Two layers, weighted as in the Switch Transformer and ST-MoE.
    np.testing.assert_allclose(gradient, 2 * (0.01 * 3 + 0.001 * 5), rtol=1e-6)


def test_a_model_without_experts_keeps_its_loss() -> None:
    def plain(variables: Any, *arguments: Any, mutable: Any = (), **options: Any) -> Any:
        return (variables["params"], {}) if mutable else variables["params"]

    logits = jnp.arange(88.0).reshape(1, 8, 11)
    losses = next_token_loss, balance(next_token_loss)
    one, two = (loss(plain, logits, BATCH, None) for loss in losses)
    assert one == two
