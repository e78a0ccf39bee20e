"""Arrays on a mesh of devices: batches, published parameters, and what a loss splits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from recipes.trainer.arrays import placed
from recipes.trainer.mesh import BATCH_AXES, TOKEN_AXIS
from recipes.trainer.sharding import spec_of
from recipes.trainer.step import Batch, LossFunction, Metrics


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

    The compiler splits activations as the batch is, and gathers along `sequence` the keys and
    values that the tokens of other devices attend to.
    """

    def with_split(
        apply_fn: Callable[..., Any], params: Any, batch: Batch, key: jax.Array | None
    ) -> jax.Array | tuple[jax.Array, Metrics]:
        split = jax.tree.map(
            lambda leaf: NamedSharding(mesh, PartitionSpec(*batch_spec(leaf.shape, mesh))), batch
        )
        return loss(apply_fn, params, jax.lax.with_sharding_constraint(batch, split), key)

    return with_split


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
