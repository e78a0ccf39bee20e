"""Trees of arrays that several processes write together, each its part, through Orbax."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from recipes.trainer.leaves import placed

_PLAIN = re.compile(r"[A-Za-z0-9 ._/+=:,@~-]{1,1000}")


def write(folder: Path, tree: Any) -> None:
    """Write a tree of arrays into a new folder; it is complete when the call returns."""
    with _plain(folder) as place:
        _checkpointer().save(place, args=ocp.args.PyTreeSave(tree))


def read(folder: Path, like: Any) -> Any:
    """Read the arrays of a folder that are also in `like`.

    Those that are committed to devices in `like` are so here, and the others lie on the host.
    """
    arguments = ocp.args.PyTreeRestore(
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like),
        restore_args=jax.tree.map(_place, like),
        partial_restore=True,
    )
    with _plain(folder) as place:
        return _checkpointer().restore(place, args=arguments)


def shapes(folder: Path) -> Any:
    """Read the tree of a folder, with the shape and dtype of each array instead of the array."""
    with _plain(folder) as place:
        metadata = _checkpointer().metadata(place).item_metadata
    if metadata is None:
        raise ValueError(f"{str(folder)!r} holds no arrays.")
    return metadata.tree


def _checkpointer() -> ocp.Checkpointer:
    # In the caller's thread: a write that fails raises here and not at some later call.
    return ocp.Checkpointer(ocp.PyTreeCheckpointHandler())


def _place(leaf: Any) -> ocp.RestoreArgs:
    """The sharding to read a leaf with; without one Orbax requires the devices of the writer."""
    sharding = placed(leaf)
    if sharding is None:
        return ocp.RestoreArgs(restore_type=np.ndarray)
    return ocp.ArrayRestoreArgs(sharding=sharding)


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """Give a name of the same folder that Orbax and its store can take.

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
