"""Digests of a folder's files, to detect damage."""

import hashlib
import json
from pathlib import Path

DIGESTS = "digests.json"


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
    """
    try:
        digests = json.loads((folder / DIGESTS).read_bytes())
        names = sorted(digests.items() if only is None else [(only, digests[only])])
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return f"{DIGESTS} cannot be read"
    for name, digest in names:
        try:
            found = _digest(folder / name)
        except OSError:
            return f"{name} cannot be read"
        if found != digest:
            return f"{name} is not what {DIGESTS} says"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
