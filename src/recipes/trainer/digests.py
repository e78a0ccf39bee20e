"""Digests of a folder's files and of arrays, to detect damage."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jax.experimental import multihost_utils

from recipes.trainer.leaves import named_leaves


def file_digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, by its path below it."""
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def find_damage(folder: Path, digests: Mapping[str, str]) -> str | None:
    """Describe the first file of a folder that is not what its digest says, or None.

    Args:
        folder: The folder.
        digests: What `file_digests` found in it; files added later are ignored.

    Raises:
        PermissionError: A file that this user may not read.
    """
    for name, digest in digests.items():
        try:
            found = _digest(folder / name)
        except PermissionError:
            raise
        except (OSError, ValueError):  # the latter for a name with a NUL
            return f"{name} cannot be read"
        if found != digest:
            return f"{name} is not what was written: its SHA-256 differs"
    return None


def leaf_digests(tree: Any) -> dict[str, str]:
    """The SHA-256 of the bytes of each array in a tree, however it is split over devices.

    Example:
        >>> leaf_digests({"a": np.zeros(0)})["a"][:6]  # sha256sum < /dev/null
        'e3b0c4'
    """
    digests = {}
    for name, leaf in named_leaves(tree).items():
        if not getattr(leaf, "is_fully_addressable", True):
            leaf = multihost_utils.process_allgather(leaf, tiled=True)
        digests[name] = array_digest(np.asarray(leaf))
    return digests


def array_digest(array: np.ndarray) -> str:
    """The SHA-256 of the bytes of an array, in row-major order."""
    # Of the buffer itself: to copy it takes as long as to hash it.
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
