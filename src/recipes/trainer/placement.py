"""Arrays on a mesh of devices: batches, published parameters, and what a loss splits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from recipes.trainer.leaves import placed
from recipes.trainer.mesh import BATCH_AXES, TOKEN_AXIS
from recipes.trainer.sharding import spec_of
from recipes.trainer.step import Batch, LossFunction, Metrics

# Parts of attention whose results the tokens of all devices attend to.
WHOLE = ("key", "value")


def mesh_of(tree: Any) -> Mesh | None:
    """The mesh that a state or parameters lie on; None where they lie on one device."""
    for leaf in jax.tree.leaves(tree):
        sharding = placed(leaf)
        if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, Mesh):
            return sharding.mesh
    return None


def place_on(mesh: Mesh | None) -> Callable[[np.ndarray], jax.Array]:
    """Return a function that makes a JAX array, sharded over all devices of a mesh if there is one.

    An array is split along the largest of its axes that the devices divide, and is whole on every
    device if there is none.
    """
    if mesh is None:
        return jax.numpy.asarray
    return lambda array: _in_pieces(array, mesh, spec_of(array.shape, mesh))


def place_batch(batch: Batch, mesh: Mesh, axis: int = 0) -> Batch:
    """Split a batch over the devices; every process has the whole of it and keeps its own part.

    Args:
        batch: The same arrays in every process.
        mesh: The devices; axes of `BATCH_AXES` split the sequences, `sequence` splits their tokens.
        axis: The axis of sequences, which that of tokens follows. An axis stays whole where the
            devices do not divide it.
    """
    return jax.tree.map(
        lambda array: _in_pieces(
            array, mesh, PartitionSpec(*[None] * axis, *batch_spec(array.shape[axis:], mesh))
        ),
        batch,
    )


def split_loss(loss: LossFunction, mesh: Mesh) -> LossFunction:
    """Have a loss split its batch, so that each part of an accumulated one is split too.

    What modules return is split by sequences as well: from parameters that `fsdp` splits the
    compiler may conclude that features are, and send activations instead of weights. Where
    `sequence` splits tokens, results are split so too, but for those of `WHOLE`.
    """

    def with_split(
        apply_fn: Callable[..., Any], params: Any, batch: Batch, key: jax.Array | None
    ) -> jax.Array | tuple[jax.Array, Metrics]:
        split = jax.tree.map(
            lambda leaf: NamedSharding(mesh, PartitionSpec(*batch_spec(leaf.shape, mesh))), batch
        )
        batch = jax.lax.with_sharding_constraint(batch, split)
        shapes = [leaf.shape[:2] for leaf in jax.tree.leaves(batch) if leaf.ndim > 1]
        if not shapes:
            return loss(apply_fn, params, batch, key)
        with nn.intercept_methods(_split_results(shapes[0], mesh)):
            return loss(apply_fn, params, batch, key)

    return with_split


def _split_results(shape: tuple[int, ...], mesh: Mesh) -> Callable[..., Any]:
    """An interceptor that splits what parts of a model compute for each token of a batch."""
    rows, tokens = batch_spec(shape, mesh)

    def split(call: Any, arguments: Any, options: Any, context: Any) -> Any:
        along = None if context.module.name in WHOLE else tokens
        most = 3 if mesh.shape.get(TOKEN_AXIS, 1) == 1 else 4

        def place(leaf: Any) -> Any:
            if not isinstance(leaf, jax.Array) or not 3 <= leaf.ndim <= most:
                return leaf
            if leaf.shape[:2] != shape:
                return leaf
            others = [PartitionSpec.UNCONSTRAINED] * (leaf.ndim - 2)
            spec = PartitionSpec(rows, along, *others)
            return jax.lax.with_sharding_constraint(leaf, NamedSharding(mesh, spec))

        return jax.tree.map(place, call(*arguments, **options))

    return split


def batch_spec(shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    """How an array of a batch is split: by its sequences, and by the tokens of each.

    Example:
        >>> auto = (jax.sharding.AxisType.Auto,) * 2
        >>> mesh = jax.make_mesh((1, 1), ("data", "sequence"), axis_types=auto)
        >>> batch_spec((8, 64), mesh) == PartitionSpec("data", "sequence")
        True
    """
    wanted = BATCH_AXES, (TOKEN_AXIS,)
    spec = list[tuple[str, ...] | None]()
    for size, names in zip(shape, wanted, strict=False):
        names = tuple(name for name in names if name in mesh.shape)
        divided = size % math.prod(mesh.shape[name] for name in names) == 0
        spec.append(names if names and divided else None)
    return PartitionSpec(*spec)


def _in_pieces(array: np.ndarray, mesh: Mesh, spec: PartitionSpec) -> jax.Array:
    """Make an array of which each process takes the pieces of its own devices."""
    sharding = NamedSharding(mesh, spec)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
