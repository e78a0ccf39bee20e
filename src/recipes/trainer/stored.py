"""Arrays that Orbax wrote, read onto the host without it: its import takes as long as JAX's."""

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

# Maximum number of differences that an error lists.
LISTED = 5
_PLAIN = re.compile(r"[A-Za-z0-9 ._/+=:,@~-]{1,1000}")


class StoredArrays:
    """Arrays of a folder by their names, such as `params.norm.scale`; opened, and not yet read.

    Attributes:
        shapes: Shape and dtype of each.

    Raises:
        ValueError: A name that the folder does not have, or files that are not of Orbax's form.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        import tensorstore

        place = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}}
        opening = {
            name: tensorstore.open(
                {"driver": "zarr", "kvstore": {**place, "path": f"{name}/"}}, open=True, read=True
            )
            for name in names
        }
        self._opened = {name: future.result() for name, future in opening.items()}
        self.shapes = {
            name: jax.ShapeDtypeStruct(store.shape, store.dtype.numpy_dtype)
            for name, store in self._opened.items()
        }

    def read(self) -> dict[str, np.ndarray]:
        """Read all of them, beside each other."""
        reading = {name: store.read() for name, store in self._opened.items()}
        return {name: future.result() for name, future in reading.items()}


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[Path]:
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


def _described(tree: Any) -> dict[str, str]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): (
            f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
        )
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
