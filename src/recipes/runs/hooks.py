"""Hooks of a run: where its rows end, and its speed in them."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks import summary
from recipes.config import Recipe
from recipes.planning.peak import peak_flops
from recipes.trainer.hooks import Hook, every
from recipes.trainer.mesh import MeshShape
from recipes.trainer.speed import Speed


def run_hooks(recipe: Recipe, model: nn.Module, tokens: int, seconds: float) -> list[Hook]:
    """Have rows end where the model is evaluated, and add speed and `mfu` to those logged.

    Args:
        recipe: The settings.
        model: The model.
        tokens: Targets of earlier sessions.
        seconds: Seconds of earlier sessions.
    """
    mesh, published = recipe.trainer.mesh, recipe.init_from is not None
    peak = peak_flops("float32" if published else recipe.model.dtype)
    devices = 1 if mesh is None else MeshShape.parse(mesh).devices
    speed = Speed(
        flops=3 * forward_flops(model, recipe.model.context),
        peak=None if peak is None else peak * devices,
        tokens=tokens,
        seconds=seconds,
    )
    return [every(recipe.trainer.eval_every), every(recipe.trainer.log_every, speed)]


@functools.cache
def forward_flops(model: nn.Module, context: int) -> float:
    """Operations of a forward pass for one token; the backward pass has twice as many."""
    return summary(model, jax.ShapeDtypeStruct((1, context), jnp.int32))[""].flops
