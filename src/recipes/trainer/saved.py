"""One checkpoint on disk: its files, and its record, which is read after they were verified."""

import json
import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any

from recipes.data.files import cannot_read
from recipes.errors import RecipeError
from recipes.trainer.digests import find_damage

FORMAT = 2
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
    """Read the record of a checkpoint, after checking its files, format and step.

    Raises:
        RecipeError: They are damaged, of another format, or may not be read.
    """
    try:
        # The record and the metrics by name, as digests that list nothing would find nothing.
        damage = find_damage(place, RECORD) or find_damage(place, METRICS) or find_damage(place)
    except PermissionError as error:
        raise cannot_read(place, error) from error
    if damage:
        raise damaged(step, damage)
    try:
        record = json.loads((place / RECORD).read_bytes())
        found = record.pop("format", None)
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise damaged(step, f"{RECORD} holds no record") from error
    if found != FORMAT:
        raise RecipeError(
            f"The checkpoint of step {step} has format {found}, and this version reads {FORMAT}.",
            "Use the version of linen-blocks that wrote it; env.json names it.",
        )
    if record.get("step") != step or not isinstance(record.get("arrays"), dict):
        raise damaged(step, f"{RECORD} is not of that step")
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


def record_damage(place: Path) -> str | None:
    """Say in what the record of a checkpoint is not what was written; None if it is."""
    try:
        return find_damage(place, RECORD)
    except PermissionError as error:
        return f"{RECORD} cannot be read: {error.strerror}"


def measured(place: Path, metric: str) -> float | None:
    """A metric in the record of a checkpoint; None if there is none to compare."""
    try:
        value = json.loads((place / RECORD).read_bytes()).get(metric)
        return value if isinstance(value, float | int) and math.isfinite(value) else None
    except (OSError, ValueError, AttributeError, RecursionError, OverflowError):
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
