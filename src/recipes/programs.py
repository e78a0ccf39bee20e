"""Compiled programs on disk: what one start of a command has compiled the next one loads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import stat
import sys
import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from recipes.data.corpora import cache_folder

FOLDER, OPTION = "JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"
# All that JAX compiles is kept, as a command runs a hundred small programs beside its large ones.
KEEP_ALL = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# Bytes that may be kept, for all processors; past them half is forgotten.
MOST_BYTES = 2**30
# How JAX begins to say that a program could not be read, with its name, or not be written.
READING = re.compile(r"Error reading persistent compilation cache entry for '([\w.-]+)'")
NOT_KEPT = r"Error (reading|writing) persistent compilation cache entry"


def keep_programs(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Have JAX keep compiled programs in the user's cache folder, and load them from there.

    Settings of the user's own for JAX's cache stand, and a process that has imported JAX already
    decides for itself. JAX names a program by what it computes, its flags and the version of the
    compiler; the folder's name stands for the processor, whose instructions the programs use.

    Args:
        environment: Where JAX will read its settings.

    Returns:
        The folder; None if programs are not kept, because of such settings, or since there is no
        folder that this user alone may write.
    """
    if "jax" in sys.modules or FOLDER in environment or OPTION in environment:
        return None
    if (root := _root()) is None:
        return None
    folder = root / _processor()
    with contextlib.suppress(OSError):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_own(root) and _is_own(folder):
            with contextlib.suppress(OSError):  # too many programs are better than none
                forget_old(root)
            environment.update({**KEEP_ALL, **environment, FOLDER: str(folder)})
            _survive_failures(folder)
            return folder
    return None


def forget_old(root: Path, most_bytes: int = MOST_BYTES) -> None:
    """Delete the programs used longest ago where there are too many, until half as many are left.

    Args:
        root: Folder of the folders of programs.
        most_bytes: Bytes that all of them may have.
    """
    found = list[tuple[float, int, Path]]()
    for path in root.glob("**/*"):
        with contextlib.suppress(OSError):  # another process may have forgotten it meanwhile
            about = path.lstat()
            if stat.S_ISREG(about.st_mode):
                found.append((max(about.st_atime, about.st_mtime), about.st_size, path))
    kept = sum(size for _, size, _ in found)
    if kept <= most_bytes:
        return
    for _, size, path in sorted(found):
        if kept <= most_bytes // 2:
            return
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            kept -= size


def _root() -> Path | None:
    """Folder of the folders of programs; None for a user without a home."""
    with contextlib.suppress(RuntimeError):  # of newer platformdirs, where older say "~/.cache"
        root = cache_folder() / "programs"
        return root if root.is_absolute() else None
    return None


def _is_own(folder: Path) -> bool:
    """Whether a folder is this user's, and no other may write to it.

    Whoever may write a program has it run by those who load it. Where users have no numbers, as on
    Windows, modes tell nothing either, and the system keeps others out of a user's cache folder.
    """
    about = folder.lstat()
    own = not hasattr(os, "geteuid") or (about.st_uid == os.geteuid() and not about.st_mode & 0o022)
    return own and stat.S_ISDIR(about.st_mode)


def _processor() -> str:
    """A name for the kind of this machine's processor: JAX's own name of a program has none."""
    told = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        # Of the first core; the others are like it.
        core, _, _ = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")
        lines = (line.partition(":") for line in core.splitlines())
        kinds = ("vendor_id", "cpu family", "model", "model name", "flags", "Features")
        told += [f"{name}{value}" for name, _, value in lines if name.strip() in kinds]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _survive_failures(folder: Path) -> None:
    """Have programs that JAX cannot read deleted, and its warnings about them silent.

    A process that was killed, or a full disk, leaves half a program under its name. JAX would
    compile it anew at every start, and never replace it.
    """
    show = warnings.showwarning

    def shown(message: Warning | str, *place: Any, **options: Any) -> None:
        if not re.match(NOT_KEPT, str(message)):
            show(message, *place, **options)
        elif found := READING.match(str(message)):
            for path in folder.glob(f"{found[1]}-*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    warnings.filterwarnings("always", message=NOT_KEPT)
    warnings.showwarning = shown
