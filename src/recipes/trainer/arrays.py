"""Trees of arrays on disk: a safetensors file from one process, what Orbax writes from several."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from recipes.data import safetensors
from recipes.errors import RecipeError
from recipes.trainer.digests import array_digest, leaf_digests
from recipes.trainer.leaves import leaf_name, named_leaves, placed

# The file in the folder of one process, which any reader of the format opens.
TENSORS = "arrays.safetensors"


def write_arrays(folder: Path, tree: Any) -> None:
    """Write a tree of arrays into a new folder; it is complete when the call returns.

    Orbax also writes what the file cannot hold, such as arrays of complex128.

    Raises:
        OSError: The write fails; Orbax raises ValueError.
    """
    named = named_leaves(tree)
    held = {np.dtype(leaf.dtype) for leaf in named.values()} <= {*safetensors.DTYPES.values()}
    if jax.process_count() > 1 or not held:
        from recipes.trainer import sharded_arrays  # Orbax takes as long to import as JAX

        sharded_arrays.write(folder, tree)
        return
    folder.mkdir()
    safetensors.write(folder / TENSORS, {name: np.asarray(leaf) for name, leaf in named.items()})


def read_arrays(folder: Path, like: Any) -> Any:
    """Read the arrays of a folder that are also in `like`, with the same placement on devices.

    Arrays that are not committed to devices in `like` are not committed here either, and those of
    NumPy stay on the host.
    Shapes and dtypes must be those that were written: `differing_leaves` compares them.
    """
    if (folder / TENSORS).exists():
        stored = safetensors.read_header(folder / TENSORS)

        def read(path: Any, _: Any) -> np.ndarray:
            return stored[leaf_name(path)].read()

        found = jax.tree_util.tree_map_with_path(read, like)
    else:
        from recipes.trainer import sharded_arrays

        found = sharded_arrays.read(folder, like)
    return jax.tree.map(_placed_as, found, like)


def stored_leaves(folder: Path) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes and dtypes of the arrays in a folder, by their names.

    Raises:
        RecipeError: The file is damaged; Orbax raises ValueError.
    """
    if (folder / TENSORS).exists():
        found: Any = safetensors.read_header(folder / TENSORS)
    else:
        from recipes.trainer import sharded_arrays

        found = named_leaves(sharded_arrays.shapes(folder))
    return {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in found.items()}


def stored_digests(folder: Path, written: Any) -> dict[str, str]:
    """The digests of the arrays in a folder, each read by itself; empty if the file is damaged.

    Args:
        folder: Where `write_arrays` wrote them.
        written: What it wrote.

    Raises:
        OSError: They cannot be read.
    """
    if not (folder / TENSORS).exists():
        return leaf_digests(read_arrays(folder, written))
    try:
        stored = safetensors.read_header(folder / TENSORS)
    except RecipeError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        return {}
    return {name: array_digest(tensor.read()) for name, tensor in stored.items()}


def _placed_as(array: Any, like: Any) -> Any:
    sharding = placed(like)
    if isinstance(array, jax.Array) or isinstance(like, np.ndarray):
        return array
    if sharding is None:
        return jax.device_put(array)  # jnp.asarray compiles a copy for each shape
    return jax.make_array_from_callback(array.shape, sharding, array.__getitem__)
