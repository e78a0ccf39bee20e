"""A run as a folder, which holds everything needed to continue it and can be moved.

config.json      the resolved settings          samples/       text at every evaluation
env.json         corpus, versions, devices      checkpoints/   last and best
metrics.jsonl    one row per logged step        tokenizer.json
curve.svg        the losses as a picture        report.html    all of it to look at
"""

import contextlib
import io
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from recipes.data.files import cannot_read, write_atomically
from recipes.data.sealed import read_sealed, write_sealed
from recipes.errors import RecipeError

# The lock belongs to the process, not the file: a killed run leaves no claim.
LOCK, HOLDER = ".lock", ".holder"
# Files of an interrupted start: config.json is written last.
UNFINISHED = {"env.json", "model.json", "tokenizer.json"}
# Batches whose gradients were not finite.
NOT_FINITE = "not_finite.npz"


def is_published(folder: Path) -> bool:
    """Return whether a folder holds a published model: its config.json names a type."""
    try:
        return "model_type" in json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError, TypeError):
        return False


@dataclass(frozen=True)
class Resume:
    """How to go on with a run.

    Attributes:
        step: Step to go on from: `"auto"` is the last one saved, if any, and 0 the start.
        change: Whether the settings of the optimiser may differ from those of the run.
    """

    step: int | Literal["auto"] = "auto"
    change: bool = False


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved settings, which make a folder a run."""
        return self.path / "config.json"

    @property
    def env(self) -> Path:
        """The corpus' hash, and the environment of each session of the run."""
        return self.path / "env.json"

    @property
    def metrics(self) -> Path:
        """One row of metrics per line."""
        return self.path / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """Configuration of the published model that the run started from, if it did."""
        return self.path / "model.json"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer."""
        return self.path / "tokenizer.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    def keep_sample(self, step: int, text: str) -> None:
        """Write the text that was drawn after a step.

        Raises:
            RecipeError: The write fails.
        """
        try:
            write_atomically(self._sample(step), text.encode())
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def has_sample(self, step: int) -> bool:
        """Whether the text of a step was written."""
        return self._sample(step).exists()

    def _sample(self, step: int) -> Path:
        return self.path / "samples" / f"step_{step:06d}.txt"

    def keep_arrays(self, name: str, arrays: dict[str, Any]) -> None:
        """Write arrays by name, for `numpy.load`.

        Raises:
            RecipeError: The write fails.
        """
        import numpy as np

        content = io.BytesIO()
        np.savez(content, **arrays)
        try:
            write_atomically(self.path / name, content.getvalue())
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    @property
    def exists(self) -> bool:
        """Whether a run was started here.

        Raises:
            RecipeError: The folder may not be read.
        """
        try:
            return stat.S_ISREG(self.config.stat().st_mode)
        except PermissionError as error:
            raise cannot_read(self.path, error) from error
        except (OSError, ValueError):
            return False

    def read_config(self) -> dict[str, Any]:
        """Read the settings that the run was started with.

        Raises:
            RecipeError: There is no run, or its settings are damaged.
        """
        if not self.exists:
            raise RecipeError(
                f"{str(self.path)!r} holds no run: {self.config.name} is missing.",
                "Give the folder that `train` printed.",
            )
        return read_sealed(self.config)

    def read_env(self) -> dict[str, Any]:
        """Read the record of the run's environment: `corpus`, and `sessions`, one or more.

        Raises:
            RecipeError: It is damaged.
        """
        content = read_sealed(self.env)
        match content:
            case {"corpus": {"name": str(), "sha256": str()}, "sessions": [*sessions]} if all(
                isinstance(session, dict) and isinstance(session.get("versions"), dict)
                for session in sessions
            ):
                return content
        raise RecipeError(
            f"{str(self.env)!r} is damaged: its corpus or its sessions are missing.",
            "Restore it from a copy of the run.",
        )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a record of a run with its digest, completely or not at all.

    Raises:
        RecipeError: The write fails.
    """
    try:
        write_sealed(path, content)
    except OSError as error:
        raise _cannot_write(path.parent, error) from error


@contextlib.contextmanager
def claimed(path: Path, *, resume: bool) -> Iterator[RunFolder]:
    """Claim the folder of a run until the context ends, and create it if it does not exist.

    Raises:
        RecipeError: The path is a file or cannot be written, another process is using it, or it
            holds files: any without `resume`, others than a run's with it.
    """
    try:
        if path.exists() and not path.is_dir():
            fix = "Give --run-dir another path."
            raise RecipeError(f"{str(path)!r} is a file, not a folder.", fix)
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        _check_contents(path, resume)
        lock = FileLock(path / LOCK, blocking=False)
        lock.acquire()
    except Timeout as error:
        raise RecipeError(
            f"Another process{_holder(path)} is training in {str(path)!r}.",
            "Wait for it, stop it, or give --run-dir another folder.",
        ) from error
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        # The folder may have been filled between the check and the lock.
        _check_contents(path, resume)
        (path / HOLDER).write_text(f"{os.getpid()}\n", encoding="utf-8")
        yield RunFolder(path)
    except Exception:
        if is_new:
            _remove_start(path)
        raise
    finally:
        # What was a folder before is as it was; a start that wrote nothing leaves none behind.
        # The lock's file goes while it is held: who has opened it meanwhile finds it gone.
        with contextlib.suppress(OSError):
            (path / HOLDER).unlink()
            (path / LOCK).unlink()
            if is_new:
                path.rmdir()
        lock.release()


def _remove_start(path: Path) -> None:
    """Remove the files of a start that failed before its first row."""
    start = UNFINISHED | {"config.json", "metrics.jsonl", LOCK, HOLDER}
    with contextlib.suppress(OSError):
        found = {entry.name: entry for entry in path.iterdir()}
        metrics = found.get("metrics.jsonl")
        if found.keys() <= start and (metrics is None or metrics.stat().st_size == 0):
            for name in found.keys() - {LOCK, HOLDER}:
                found[name].unlink()


def _holder(path: Path) -> str:
    """The process that has claimed a folder; empty until it has written its number."""
    with contextlib.suppress(OSError):
        return f", {(path / HOLDER).read_text(encoding='utf-8').strip()},"
    return ""


def _check_contents(path: Path, resume: bool) -> None:
    """Refuse to start a run in a folder with files, or to resume where there is no run."""
    found = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    if resume and "config.json" not in found and found - UNFINISHED:
        raise RecipeError(
            f"The folder {str(path)!r} holds files, but no run: config.json is missing.",
            "Give --run-dir the folder of a run, or an empty one.",
        )
    if not resume and found:
        raise RecipeError(
            f"The run folder {str(path)!r} is not empty.",
            "Use --resume auto to go on with its run, or give --run-dir another folder.",
        )


def _cannot_write(path: Path, error: OSError) -> RecipeError:
    return RecipeError(
        f"The run folder {str(path)!r} cannot be written: {error.strerror}.",
        "Free disk space or fix the permissions, or give --run-dir another folder.",
    )
