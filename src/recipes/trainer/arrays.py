"""Trees of arrays on disk, through Orbax, with the checks that it leaves out."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

# Maximum number of differences that an error lists.
LISTED = 5
_PLAIN = re.compile(r"[A-Za-z0-9 ._/+=:,@~-]{1,1000}")


def write_arrays(folder: Path, tree: Any) -> None:
    """Write a tree of arrays into a new folder; it is complete when the call returns."""
    with _plain(folder) as place:
        _checkpointer().save(place, args=ocp.args.PyTreeSave(tree))


def read_arrays(folder: Path, like: Any) -> Any:
    """Read the arrays of a folder that are also in `like`, with the same placement on devices.

    Arrays that are not committed to devices in `like` are not committed here either, and those of
    NumPy stay on the host.
    Shapes and dtypes must be those that were written: `differing_leaves` compares them.
    """
    arguments = ocp.args.PyTreeRestore(
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like),
        restore_args=jax.tree.map(_place, like),
        partial_restore=True,
    )
    with _plain(folder) as place:
        found = _checkpointer().restore(place, args=arguments)
    return jax.tree.map(
        lambda new, old: new if isinstance(old, np.ndarray) else jnp.asarray(new), found, like
    )


def stored_leaves(folder: Path) -> Any:
    """Read the tree of a folder, with the shape and dtype of each array instead of the array."""
    with _plain(folder) as place:
        metadata = _checkpointer().metadata(place).item_metadata
    if metadata is None:
        raise ValueError(f"{str(folder)!r} holds no tree of arrays; give one of write_arrays.")
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), metadata.tree)


def differing_leaves(stored: Any, like: Any) -> str:
    """Describe the leaves in which two trees differ by name, shape or dtype; empty if none do.

    Example:
        >>> differing_leaves({"a": np.zeros(2)}, {"a": np.zeros(3)})
        'a is float64[2] there and float64[3] here'
    """
    there, here = _described(stored), _described(like)
    lines = [
        f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    rest = [f"{len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "; ".join(lines[:LISTED] + rest)


def placed(leaf: Any) -> jax.sharding.Sharding | None:
    """The sharding of a leaf that is committed to devices; None for an uncommitted one."""
    return leaf.sharding if getattr(leaf, "committed", False) else None


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """Give a name of the same folder that Orbax can take.

    Orbax searches by patterns, in which brackets have a meaning, and its store takes no names that
    are long or no UTF-8: a link from a temporary folder stands for the folder above.
    """
    if _PLAIN.fullmatch(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="linen-blocks-") as temporary:
        link = Path(temporary) / "run"
        link.symlink_to(folder.parent.absolute())
        yield link / folder.name


def _checkpointer() -> ocp.Checkpointer:
    # In the caller's thread: a write that fails raises here and not at some later call.
    return ocp.Checkpointer(ocp.PyTreeCheckpointHandler())


def _place(leaf: Any) -> ocp.RestoreArgs:
    """The sharding to read a leaf with; without one Orbax requires the devices of the writer."""
    sharding = placed(leaf)
    if sharding is None:
        return ocp.RestoreArgs(restore_type=np.ndarray)
    return ocp.ArrayRestoreArgs(sharding=sharding)


def _described(tree: Any) -> dict[str, str]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): (
            f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
        )
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
