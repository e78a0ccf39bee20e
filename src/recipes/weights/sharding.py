"""Parameters on a mesh of devices."""

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def place_on(mesh: Mesh | None) -> Callable[[np.ndarray], jax.Array]:
    """Return a function that makes a JAX array, sharded over all devices of a mesh if there is one.

    An array is split along the largest of its axes that the devices divide, and is whole on every
    device if there is none.
    """
    if mesh is None:
        return jax.numpy.asarray

    def place(array: np.ndarray) -> jax.Array:
        sharding = NamedSharding(mesh, spec_of(array.shape, mesh))
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return place


def spec_of(shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    """Choose the axis that is split over all devices.

    Example:
        >>> mesh = jax.make_mesh((1,), ("fsdp",), axis_types=(jax.sharding.AxisType.Auto,))
        >>> spec_of((3, 5), mesh)
        PartitionSpec(None, ('fsdp',))
    """
    fitting = [axis for axis, size in enumerate(shape) if size and size % mesh.size == 0]
    if not fitting:
        return PartitionSpec()
    split = max(fitting, key=lambda axis: shape[axis])
    return PartitionSpec(*(mesh.axis_names if axis == split else None for axis in range(split + 1)))
