"""What one step of a recipe needs on a mesh of given hardware, without that hardware."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, AxisType

from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.planning.hardware import Hardware
from recipes.planning.memory import peak_bytes
from recipes.size import size_of
from recipes.trainer.mesh import MeshShape
from recipes.trainer.sharding import make_mesh, state_shardings
from recipes.trainer.step import train_step

# Devices of the largest mesh that is tried.
MOST_DEVICES = 4096
# The compiler for CPUs hands matrix products to a library, and by default what surrounds them too,
# which then writes arrays that no other compiler would.
AS_OTHERS: dict[str, str | bool] = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
}


@dataclass(frozen=True)
class Plan:
    """What a device of a mesh holds and does in one step.

    Attributes:
        shape: The mesh.
        parameters: Bytes of parameters.
        optimizer: Bytes of the optimiser's state.
        activations: Bytes of activations, gradients and what else lives within a step.
        flops: Operations of matrix products.
        traffic: Bytes between memory and units, at least.
        network: Bytes that are sent, by collective.
    """

    shape: MeshShape
    parameters: float
    optimizer: float
    activations: float
    flops: float
    traffic: float
    network: dict[str, float]

    @property
    def total(self) -> float:
        """Bytes of all that a device holds."""
        return self.parameters + self.optimizer + self.activations

    def seconds(self, hardware: Hardware, dtype: str) -> dict[str, float]:
        """Least time of a step by each of its bounds; the greatest is that of the step."""
        return {
            "arithmetic": self.flops / hardware.flops[dtype],
            "memory": self.traffic / hardware.bandwidth,
            "network": sum(self.network.values()) / hardware.network,
        }


def plan(recipe: Recipe, shape: MeshShape) -> Plan:
    """Plan one step of a recipe, whose vocabulary is known, on a mesh.

    References:
        Williams et al., Roofline: an insightful visual performance model, 2009.
        Rajbhandari et al., ZeRO, 2019, arXiv:1910.02054, section 7 (bytes of collectives).
    """
    config, accumulate = recipe.model, recipe.trainer.accumulate
    mesh = AbstractMesh(
        tuple(shape.sizes.values()), tuple(shape.sizes), axis_types=(AxisType.Auto,) * 4
    )
    state = jax.eval_shape(lambda: initial_state(recipe, build_gpt(config)))
    shardings = state_shardings(state, mesh)
    parameters = _bytes(state.params, shardings.params)
    optimizer = _bytes(state.opt_state, shardings.opt_state)

    rows = recipe.batch_size // accumulate // shape.batch_parts
    tokens = jax.ShapeDtypeStruct((rows, config.context), jnp.int32)
    weights = {tuple(sorted(leaf.shape)) for leaf in jax.tree.leaves(state.params)}
    sizes = {config.num_heads, 4 * config.features, config.vocab_size}

    def size(kind: Any) -> float:
        # Of activations the first axis is of sequences; a gradient is summed before it is split.
        axes = kind.shape if tuple(sorted(kind.shape)) in weights else kind.shape[1:]
        wide = any(axis in sizes and axis % shape.tensor == 0 for axis in axes)
        return kind.size * getattr(kind.dtype, "itemsize", 8) / (shape.tensor if wide else 1)

    step = partial(train_step, loss=next_token_loss)
    batch = {"inputs": tokens, "targets": tokens}
    activations = peak_bytes(step, state, batch, size=size)
    # What the backward pass reads again stays gathered.
    activations += parameters * (shape.fsdp - 1)
    if accumulate > 1:
        activations += parameters  # the sum of gradients

    per_token = size_of(config).training_flops
    flops = per_token * recipe.batch_size * config.context / shape.devices
    # Weights are read forward and backward in each part, gradients written and read; AdamW reads
    # and writes weights and moments. Activations are written and read once.
    moved = parameters * shape.fsdp * 4 * accumulate + 2 * (parameters + optimizer)
    traffic = moved + 2 * activations * accumulate
    network = _network(recipe, shape, parameters)
    return Plan(shape, parameters, optimizer, activations, flops, traffic, network)


def smallest_mesh(recipe: Recipe, hardware: Hardware) -> Plan | None:
    """The plan of the fewest devices on which a step fits; None if none of the meshes does."""
    count = 1
    while count <= MOST_DEVICES:
        for shape in _shapes(recipe, count):
            found = plan(recipe, shape)
            if found.total <= hardware.memory:
                return found
        count *= 2
    return None


def one_part(recipe: Recipe) -> Recipe:
    """The part of a step that is compared with the compiler, in float32.

    Compilers for CPUs compute bfloat16 in float32 too.
    """
    return replace(
        recipe,
        batch_size=recipe.batch_size // recipe.trainer.accumulate,
        trainer=replace(recipe.trainer, accumulate=1),
        model=replace(recipe.model, dtype="float32"),
    )


def compiled_bytes(recipe: Recipe, text: str) -> int:
    """What the compiler says that a device of a mesh needs for a step, arguments included.

    Raises:
        RecipeError: Too few devices, which may be simulated, or a compiler that does not say it.
    """
    mesh = make_mesh(text)
    assert mesh is not None
    state = jax.eval_shape(lambda: initial_state(recipe, build_gpt(recipe.model)))
    placed = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        state,
        shardings := state_shardings(state, mesh),
    )
    rows = recipe.batch_size // recipe.trainer.accumulate
    by_rows = jax.sharding.NamedSharding(
        mesh, jax.sharding.PartitionSpec(("data", "fsdp", "expert"))
    )
    tokens = jax.ShapeDtypeStruct((rows, recipe.model.context), jnp.int32, sharding=by_rows)
    step = partial(train_step, loss=next_token_loss)
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(shardings, None))
    lowered = jitted.lower(placed, {"inputs": tokens, "targets": tokens})
    try:
        compiled = lowered.compile(compiler_options=AS_OTHERS)
    except jax.errors.JaxRuntimeError:  # a version of the compiler without this option
        compiled = lowered.compile()
    found: Any = compiled.memory_analysis()
    if found is None:
        raise RecipeError("The compiler does not say what memory it needs.", "Plan on a CPU.")
    aliased = found.output_size_in_bytes - found.alias_size_in_bytes
    return found.argument_size_in_bytes + found.temp_size_in_bytes + aliased


def _bytes(tree: Any, shardings: Any) -> float:
    return sum(
        math.prod(sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf, sharding in zip(jax.tree.leaves(tree), jax.tree.leaves(shardings), strict=True)
    )


def _network(recipe: Recipe, shape: MeshShape, parameters: float) -> dict[str, float]:
    """Bytes that a device sends in a step, by collective, with rings of all devices of an axis."""

    def share(size: int) -> float:
        return (size - 1) / size

    model, accumulate = recipe.model, recipe.trainer.accumulate
    whole = parameters * shape.fsdp
    width = 2 if model.dtype == "bfloat16" else 4
    rows = recipe.batch_size // shape.batch_parts
    activations = rows * model.context * model.features * width
    found = {
        "gather weights (fsdp)": 2 * accumulate * whole * share(shape.fsdp),
        "scatter gradients (fsdp)": accumulate * whole * share(shape.fsdp),
        "sum gradients (data)": 2 * parameters * share(shape.data * shape.expert),
        # After attention and the MLP, forward and backward.
        "sum activations (tensor)": 4 * model.num_layers * 2 * activations * share(shape.tensor),
    }
    return {name: count for name, count in found.items() if count}


def _shapes(recipe: Recipe, count: int) -> Iterator[MeshShape]:
    """Meshes of so many devices that divide the batch: those with least tensor first."""
    for tensor in (1, 2, 4, 8):
        if count % tensor or tensor > recipe.model.num_heads:
            continue
        shape = replace(MeshShape(), fsdp=count // tensor, tensor=tensor)
        if recipe.batch_size % (shape.batch_parts * recipe.trainer.accumulate) == 0:
            yield shape
