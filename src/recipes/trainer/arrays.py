"""Trees of arrays on disk, through Orbax, with the checks that it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from recipes.trainer.stored import StoredArrays, plain

if TYPE_CHECKING:  # a program that saves nothing need not wait for its import
    import orbax.checkpoint as ocp


def write_arrays(folder: Path, tree: Any) -> None:
    """Write a tree of arrays into a new folder; it is complete when the call returns."""
    import orbax.checkpoint as ocp

    with plain(folder) as place:
        _checkpointer().save(place, args=ocp.args.PyTreeSave(tree))


def read_arrays(folder: Path, like: Any) -> Any:
    """Read the arrays of a folder that are also in `like`, with the same placement on devices.

    Arrays that are not committed to devices in `like` are not committed here either, and those of
    NumPy stay on the host.
    Shapes and dtypes must be those that were written: `differing_leaves` compares them.
    """
    import orbax.checkpoint as ocp

    arguments = ocp.args.PyTreeRestore(
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like),
        restore_args=jax.tree.map(_place, like),
        partial_restore=True,
    )
    with plain(folder) as place:
        found = _checkpointer().restore(place, args=arguments)
    return jax.tree.map(
        lambda new, old: new if isinstance(old, np.ndarray) else jnp.asarray(new), found, like
    )


def read_back(folder: Path, written: Any) -> Any:
    """Read arrays that were just written, to compare their digests.

    Returns:
        A dictionary by name; with several processes, which read their own parts, a tree like
        `written`.
    """
    if jax.process_count() > 1:
        return read_arrays(folder, written)
    # Without Orbax: it spends longer on each array than reading it takes.
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(written)]
    with plain(folder) as place:
        names = [jax.tree_util.keystr(path, simple=True, separator=".") for path in paths]
        return StoredArrays(place, names).read()


def stored_leaves(folder: Path) -> Any:
    """Read the tree of a folder, with the shape and dtype of each array instead of the array."""
    with plain(folder) as place:
        metadata = _checkpointer().metadata(place).item_metadata
    if metadata is None:
        raise ValueError(f"{str(folder)!r} holds no tree of arrays; give one of write_arrays.")
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), metadata.tree)


def placed(leaf: Any) -> jax.sharding.Sharding | None:
    """The sharding of a leaf that is committed to devices; None for an uncommitted one."""
    return leaf.sharding if getattr(leaf, "committed", False) else None


def _checkpointer() -> ocp.Checkpointer:
    import orbax.checkpoint as ocp

    # In the caller's thread: a write that fails raises here and not at some later call.
    return ocp.Checkpointer(ocp.PyTreeCheckpointHandler())


def _place(leaf: Any) -> ocp.RestoreArgs:
    """The sharding to read a leaf with; without one Orbax requires the devices of the writer."""
    import orbax.checkpoint as ocp

    sharding = placed(leaf)
    if sharding is None:
        return ocp.RestoreArgs(restore_type=np.ndarray)
    return ocp.ArrayRestoreArgs(sharding=sharding)
