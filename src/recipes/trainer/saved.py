"""One checkpoint on disk: its files, and its record, which says what each of them must hold."""

import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any

from recipes.data.files import cannot_read
from recipes.data.sealed import read_sealed
from recipes.errors import RecipeError
from recipes.trainer.digests import find_damage

FORMAT = 4
# In the third all arrays were written as those of several processes are.
READABLE = (3, FORMAT)
ARRAYS, RECORD, METRICS = "arrays", "record.json", "metrics.jsonl"

log = logging.getLogger(__name__)


class DamagedError(RecipeError):
    """Error for a checkpoint whose files differ from what was written."""


def damaged(step: int, damage: str) -> DamagedError:
    """The error for the checkpoint of a step."""
    return DamagedError(
        f"The checkpoint of step {step} is damaged: {damage}.",
        "Use --resume auto, which passes over damaged ones, or delete its folder.",
    )


def read_record(place: Path, step: int) -> dict[str, Any]:
    """Read the record of a checkpoint, which has a digest of its own.

    Raises:
        RecipeError: It is damaged, or may not be read.
    """
    try:
        return read_sealed(place / RECORD)
    except RecipeError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        raise damaged(step, error.cause.rstrip(".")) from error


def verified_record(place: Path, step: int) -> dict[str, Any]:
    """Read the record of a checkpoint, and check its format and every file by its digest.

    Raises:
        RecipeError: They are damaged, of another format, or may not be read.
    """
    record = read_record(place, step)
    if (found := record.pop("format", None)) not in READABLE:
        raise RecipeError(
            f"The checkpoint of step {step} has format {found} in {RECORD}, and this version reads "
            f"{' and '.join(map(str, READABLE))}.",
            "Use the version of linen-blocks that wrote it; env.json names it.",
        )
    files, arrays = record.pop("files", None), record.get("arrays")
    if record.get("step") != step or not isinstance(files, dict) or not isinstance(arrays, dict):
        raise damaged(step, f"{RECORD} is not of that step")
    if METRICS not in files or not any(name.startswith(f"{ARRAYS}/") for name in files):
        raise damaged(step, f"{RECORD} lists no files")
    try:
        damage = find_damage(place, files)
    except PermissionError as error:
        raise cannot_read(place, error) from error
    if damage:
        raise damaged(step, damage)
    return record


def check_digests(step: int, recorded: dict[str, Any], found: dict[str, str]) -> None:
    """Refuse arrays that are read as something else than was saved.

    Args:
        step: Step of the checkpoint.
        recorded: Digests of all arrays of its record.
        found: Digests of arrays that were read.

    Raises:
        DamagedError: Names the first of them.
    """
    for name, digest in found.items():
        if recorded.get(name) != digest:
            raise damaged(step, f"{name} is not what {RECORD} says")


def measured(record: dict[str, Any], metric: str) -> float | None:
    """A metric in the record of a checkpoint; None if there is none to compare."""
    value = record.get(metric)
    try:
        return value if isinstance(value, float | int) and math.isfinite(value) else None
    except OverflowError:
        return None


def drop(place: Path, aside: Path) -> None:
    """Delete a checkpoint, renamed first so that no part is left; a failure is only logged."""
    try:
        if aside.exists():
            shutil.rmtree(aside)
        os.replace(place, aside)
        shutil.rmtree(aside)
    except OSError as error:
        step = int(place.name.removeprefix("step_"))
        log.warning("The checkpoint of step %d could not be deleted: %s.", step, error)
