"""Reading of checkpoints while a run saves others and deletes them."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
# Reads that may meet a deletion, one after the other, before something else must be wrong.
ATTEMPTS = 100


def read_while_saved(directory: Path, read: Callable[[], T]) -> T:
    """Read checkpoints, and again when a failure may come from one that was deleted meanwhile.

    Args:
        directory: The folder of checkpoints.
        read: Chooses a checkpoint and reads it.
    """
    for _ in range(ATTEMPTS):
        before = _listing(directory)
        try:
            return read()
        except Exception:
            if _listing(directory) == before:
                raise
    return read()


def _listing(directory: Path) -> set[tuple[str, int]]:
    """The checkpoints, and what tells one from another of the same step."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        return {(entry.name, entry.inode()) for entry in entries if entry.name[0] != "."}
    return set()
