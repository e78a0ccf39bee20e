"""Parameters on a mesh of devices."""

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from recipes.trainer.sharding import spec_of


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
