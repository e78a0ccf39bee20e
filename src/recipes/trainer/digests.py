"""Digests of a folder's files and of arrays, to detect damage."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

DIGESTS = "digests.json"
# Digests of a checkpoint have some kilobytes.
MAX_BYTES = 50_000_000


def write_digests(folder: Path) -> None:
    """Record the SHA-256 of every file in a folder, in a file beside them."""
    digests = {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / DIGESTS
    }
    (folder / DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")


def find_damage(folder: Path, only: str | None = None) -> str | None:
    """Describe damage of a folder's files, or None; files added later are ignored.

    Args:
        folder: The folder.
        only: The one file to look at; None for all that have a digest.

    Raises:
        PermissionError: A file that this user may not read.
    """
    try:
        with (folder / DIGESTS).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return f"{DIGESTS} has more than {MAX_BYTES:,} bytes"
        digests = json.loads(content)
        names = sorted(digests.items() if only is None else [(only, digests[only])])
    except PermissionError:
        raise
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return f"{DIGESTS} cannot be read"
    for name, digest in names:
        try:
            found = _digest(folder / name)
        except PermissionError:
            raise
        except (OSError, ValueError):  # the latter for a name with a NUL
            return f"{name} cannot be read"
        if found != digest:
            if _unix_digest(folder / name) == digest:
                return f"the line ends of {name} were changed to CRLF, as version control may do"
            return f"{name} is not what {DIGESTS} says"
    return None


def leaf_digests(tree: Any) -> dict[str, str]:
    """The SHA-256 of the bytes of each array in a tree, however it is split over devices.

    Example:
        >>> leaf_digests({"a": np.zeros(0)})["a"][:6]  # sha256sum < /dev/null
        'e3b0c4'
    """
    digests = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not getattr(leaf, "is_fully_addressable", True):
            leaf = multihost_utils.process_allgather(leaf, tiled=True)
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        digests[name] = hashlib.sha256(np.asarray(leaf).tobytes()).hexdigest()
    return digests


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unix_digest(path: Path) -> str | None:
    """The digest that a small file would have with line ends of LF alone."""
    if path.stat().st_size > MAX_BYTES:
        return None
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
