"""What one step of a recipe needs on a mesh of given hardware, without that hardware."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, AxisType

from blocks import Auto, Stack, dot_product_attention, find, override, summary
from blocks.attention.attention import Attention
from blocks.core.parameters import parameter_shapes
from blocks.introspection.work import work_of
from recipes.config import Recipe
from recipes.nanogpt import initial_state, next_token_loss
from recipes.planning.compiled import needs
from recipes.planning.hardware import Hardware
from recipes.runs.steps import trainer_options
from recipes.trainer.mesh import MeshShape
from recipes.trainer.sharding import state_shardings
from recipes.trainer.state import TrainState

# Largest number of heads and hidden units' parts that is tried: devices of one machine.
MOST_TENSOR = 8


@dataclass(frozen=True)
class Plan:
    """What a device of a mesh holds and does in one step.

    Attributes:
        shape: The mesh.
        parameters: Bytes of parameters.
        optimizer: Bytes of the optimiser's state.
        activations: Bytes of activations, gradients and what else lives within a step.
        cache: Bytes of keys and values, or of other caches, of one sequence that is sampled.
        flops: Operations of matrix products.
        traffic: Bytes between memory and units, at least.
        sent: Bytes that are sent, by collective.
    """

    shape: MeshShape
    parameters: float
    optimizer: float
    activations: float
    cache: float
    flops: float
    traffic: float
    sent: dict[str, float]

    @property
    def total(self) -> float:
        """Bytes of all that a device holds while it trains."""
        return self.parameters + self.optimizer + self.activations

    def seconds(self, hardware: Hardware, dtype: str) -> dict[str, float]:
        """Least time of a step by each of its bounds; the greatest is that of the step."""
        return {
            "arithmetic": self.flops / hardware.flops[dtype],
            "memory": self.traffic / hardware.bandwidth,
            "network": sum(self.sent.values()) / hardware.network,
        }


def plan(recipe: Recipe, model: nn.Module, shape: MeshShape) -> Plan:
    """Plan one step of a recipe, with a model that is a value, on a mesh.

    The step is compiled for simulated devices, of which there must be enough.

    References:
        Williams et al., Roofline: an insightful visual performance model, 2009.
    """
    parameters, optimizer = state_bytes(recipe, model, shape)
    found = needs(recipe, model, shape)
    flops, cache = work(recipe, model)
    # Weights are read forward and backward in each part, gradients written and read; AdamW reads
    # and writes weights and moments. Activations are written and read once.
    accumulate = recipe.trainer.parts
    moved = parameters * shape.fsdp * 4 * accumulate + 2 * (parameters + optimizer)
    traffic = moved + 2 * found.memory * accumulate
    each = flops / shape.devices
    return Plan(shape, parameters, optimizer, found.memory, cache, each, traffic, found.sent)


@lru_cache(maxsize=1)  # for many meshes
def work(recipe: Recipe, model: nn.Module) -> tuple[float, float]:
    """Operations of one step on all devices, and bytes of the cache of one whole sequence."""
    context = recipe.model.context
    costs = summary(model, jax.ShapeDtypeStruct((1, context), jnp.int32))[""]
    scanned = override(model, Stack, scan=True) if find(model, Stack) else model
    try:  # a loop is traced in the time of one layer
        flops = gradient_work(recipe, scanned)
    except (TypeError, ValueError):  # layers that cannot be scanned
        flops = gradient_work(recipe, model)
    return flops * recipe.batch_size, costs.cache_bytes * context


def gradient_work(recipe: Recipe, model: nn.Module) -> float:
    """Operations of the loss of one sequence and its gradient, with what `remat` computes again."""
    # Count all scores: `Auto` would choose a kernel for this machine, not for the planned one.
    kernels = [attention.implementation for attention in find(model, Attention).values()]
    if kernels and all(isinstance(kernel, Auto) for kernel in kernels):
        model = override(model, implementation=dot_product_attention)
    loss = trainer_options(recipe, next_token_loss)["loss"]
    tokens = jax.ShapeDtypeStruct((1, recipe.model.context), jnp.int32)

    def gradient(params: Any, tokens: jax.Array) -> Any:
        batch = {"inputs": tokens, "targets": tokens}
        return jax.grad(lambda params: loss(model.apply, params, batch, None)[0])(params)

    work, _ = work_of(gradient, parameter_shapes(model, tokens), tokens)
    return float(sum(work.values()))


def state_bytes(recipe: Recipe, model: nn.Module, shape: MeshShape) -> tuple[float, float]:
    """Bytes of parameters and of the optimiser's state on each device of a mesh."""
    sizes = shape.sizes
    mesh = AbstractMesh(
        tuple(sizes.values()), tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes)
    )
    state = _state(recipe, model)
    shardings = state_shardings(state, mesh)
    return (
        _bytes(state.params, shardings.params),
        _bytes(state.opt_state, shardings.opt_state),
    )


def smallest_mesh(
    recipe: Recipe, model: nn.Module, hardware: Hardware, devices: int
) -> Plan | None:
    """The plan of the fewest devices on which a step fits; None if it needs more than `devices`.

    Meshes of `fsdp` and `tensor` are tried; one of `sequence` or `expert` may have fewer devices.
    """
    for shape in shapes(recipe, devices):
        if sum(state_bytes(recipe, model, shape)) > hardware.memory:
            continue  # seen without a compiler
        found = plan(recipe, model, shape)
        if found.total <= hardware.memory:
            return found
    return None


@lru_cache(maxsize=1)  # for many meshes
def _state(recipe: Recipe, model: nn.Module) -> TrainState:
    return jax.eval_shape(lambda: initial_state(recipe, model))


def _bytes(tree: Any, shardings: Any) -> float:
    return sum(
        math.prod(sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf, sharding in zip(jax.tree.leaves(tree), jax.tree.leaves(shardings), strict=True)
    )


def shapes(recipe: Recipe, devices: int) -> Iterator[MeshShape]:
    """Meshes of 1, 2, 4 and more devices that divide the batch, with the least `tensor`."""
    count = 1
    while count <= devices:
        for tensor in (1, 2, 4, MOST_TENSOR):
            shape = MeshShape(fsdp=count // tensor, tensor=tensor) if count >= tensor else None
            if shape and recipe.part_size % shape.batch_parts == 0:
                yield shape
                break
        count *= 2
