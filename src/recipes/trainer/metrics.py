"""Metrics as JSON lines: one row per line, in the order of steps."""

import json
import math
import os
from pathlib import Path
from typing import Any

from recipes.errors import RecipeError


class MetricsFile:
    """Appends rows to a file, each complete before training goes on.

    Resuming at a step cuts off the rows after it, and half a line that a killed process left, so
    that the file of an interrupted and resumed run holds what that of an uninterrupted one does.

    Raises:
        RecipeError: A line that is no row, or a file that cannot be written.
    """

    def __init__(self, path: Path, *, after_step: int = 0):
        self._path = path
        kept = sum(len(line) for line, row in _rows(path) if row["step"] <= after_step)
        try:
            path.touch()
            # In place: at no moment are the rows before gone.
            os.truncate(path, kept)
        except OSError as error:
            raise self._refused(error) from error

    def append(self, row: dict[str, Any]) -> None:
        """Writes one row; a number that is not finite is null, for JSON has no word for it.

        Raises:
            RecipeError: The file cannot be written.
        """
        plain = {name: value if _is_plain(value) else None for name, value in row.items()}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(plain, allow_nan=False) + "\n")
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> RecipeError:
        return RecipeError(
            f"{str(self._path)!r} cannot be written: {error.strerror}.",
            "Make room or mend the permissions, then resume the run.",
        )


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics file; a last line that was cut short is left out.

    Raises:
        RecipeError: A line that is no row.
    """
    return [row for _, row in _rows(path)]


def _rows(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """Each line with the row that it holds."""
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    rows = []
    for number, line in enumerate(lines, start=1):
        # A process that was killed may leave half a line, which has no end.
        if not line.endswith(b"\n"):
            break
        try:
            row = json.loads(line)
            int(row["step"])
        except (ValueError, KeyError, TypeError) as error:
            raise RecipeError(
                f"Line {number} of {str(path)!r} is no row of metrics.", "Delete that line."
            ) from error
        rows.append((line, row))
    return rows


def _is_plain(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
