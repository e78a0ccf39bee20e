"""A step compiled ahead of time for simulated devices: the memory and the network that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from blocks import Stack, find, override
from recipes.config import Recipe
from recipes.nanogpt import initial_state, next_token_loss
from recipes.planning.collectives import bytes_sent
from recipes.runs.steps import trainer_options
from recipes.trainer.mesh import MeshShape
from recipes.trainer.placement import batch_spec, split_loss
from recipes.trainer.sharding import make_mesh, state_shardings

# Layers are alike: what one more takes is known from stacks of so many repeats of their pattern.
FEW, MORE = 2, 3
# The program is never run, so that its instructions need not be good ones. What is around a matrix
# product is compiled by itself, and not by a library that writes arrays which no device would.
OPTIONS: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}


@dataclass(frozen=True)
class Needs:
    """What a device needs for a step beside the state of training.

    Attributes:
        memory: Bytes of activations, gradients and all else that lives within a step.
        sent: Bytes that it sends, by collective.
    """

    memory: float
    sent: dict[str, float]


def needs(recipe: Recipe, model: nn.Module, shape: MeshShape) -> Needs:
    """Compile a step with few layers and with one more, and count the others as that one.

    A model whose layers are scanned is compiled as it is, and so is one without a single `Stack`.
    """
    stacks = list(find(model, Stack).values())
    if len(stacks) != 1 or stacks[0].scan or stacks[0].shared:
        return compiled(recipe, model, shape)
    depth, block = stacks[0].depth, stacks[0].block
    pattern = len(block) if isinstance(block, tuple) else 1
    few, more = (count * pattern + depth % pattern for count in (FEW, MORE))
    if depth <= more:
        return compiled(recipe, model, shape)
    low, high = (
        compiled(recipe, override(model, Stack, depth=count), shape) for count in (few, more)
    )
    steps = (depth - few) // pattern

    def beyond(low: float, high: float) -> float:
        return low + steps * (high - low)

    sent = {name: beyond(low.sent.get(name, 0.0), count) for name, count in high.sent.items()}
    return Needs(beyond(low.memory, high.memory), sent)


def compiled(recipe: Recipe, model: nn.Module, shape: MeshShape) -> Needs:
    """Compile a step for a mesh; nothing is allocated.

    Raises:
        RecipeError: Fewer devices than the mesh has; they may be simulated.
    """
    mesh = make_mesh(str(shape))
    assert mesh is not None
    state = jax.eval_shape(lambda: initial_state(recipe, model))
    shardings = state_shardings(state, mesh)

    def placed(leaf: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    tokens = placed(
        jax.ShapeDtypeStruct((recipe.batch_size, recipe.model.context), jnp.int32),
        NamedSharding(mesh, batch_spec((recipe.batch_size, recipe.model.context), mesh)),
    )
    options = trainer_options(recipe, next_token_loss)
    loss = split_loss(options["loss"], mesh)
    step = partial(options["step"], loss=loss, accumulate=recipe.trainer.parts)
    whole = NamedSharding(mesh, PartitionSpec())
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(shardings, whole))
    lowered = jitted.lower(
        jax.tree.map(placed, state, shardings), {"inputs": tokens, "targets": tokens}
    )
    try:
        program = lowered.compile(compiler_options=OPTIONS)
    except jax.errors.JaxRuntimeError:  # a version of the compiler without one of them
        program = lowered.compile()
    found: Any = program.memory_analysis()
    copies = found.output_size_in_bytes - found.alias_size_in_bytes
    return Needs(found.temp_size_in_bytes + copies, bytes_sent(program.as_text() or ""))
