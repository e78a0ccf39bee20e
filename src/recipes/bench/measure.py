"""The benchmark of a recipe: all of its measurements, one after the other."""

from __future__ import annotations

import math
import platform
import time
from importlib.metadata import version

import flax.linen as nn
import jax

from blocks import TokenEmbedding, find
from recipes.bench.decoding import measure_decoding
from recipes.bench.figures import Figures, Machine
from recipes.bench.machine import Elsewhere, cores, product_flops, read_bytes
from recipes.bench.training import measure_training
from recipes.config import Recipe
from recipes.runs.record import PACKAGES
from recipes.trainer.mesh import MeshShape

# Prompts at a time.
BATCHES = (1, 16)


def measure(
    recipe: Recipe, model: nn.Module, name: str, *, turns: int, seconds: float, tokens: int
) -> Figures:
    """Measure training, reading and drawing, and the limits of the machine.

    Args:
        recipe: The settings.
        model: The model.
        name: What is measured, for the figures.
        turns: How often each is measured.
        seconds: How long training is measured each time.
        tokens: Tokens of a prompt, and as many that are drawn.
    """
    recipe, elsewhere = recipe.on(jax.default_backend()), Elsewhere()
    embed = min(find(model, TokenEmbedding).values(), key=lambda embed: embed.vocab_size)
    size, context = embed.vocab_size, recipe.model.context
    training, params = measure_training(recipe, model, size, turns=turns, seconds=seconds)
    decoding = tuple(
        measure_decoding(
            model, params, size, context=context, batch=batch, tokens=tokens, turns=turns
        )
        for batch in BATCHES
    )
    del params
    mesh = recipe.trainer.mesh
    devices = 1 if mesh is None else MeshShape.parse(mesh).devices
    rows, width = math.ceil(recipe.part_size * context / devices), embed.features
    shapes = [(rows, width, width), (rows, width, 4 * width), (rows, 4 * width, width)]
    machine = Machine(
        device=jax.devices()[0].device_kind,
        devices=devices,
        cores=cores(),
        versions={"python": platform.python_version(), **{n: version(n) for n in PACKAGES}},
        product_flops=devices * product_flops(training.dtype, shapes),
        read_bytes=read_bytes(),
        elsewhere=elsewhere.share(),
    )
    return Figures(name, time.strftime("%Y-%m-%d"), machine, training, decoding)
