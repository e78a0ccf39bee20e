"""Metrics as JSON lines: one row per line, in the order of steps."""

import json
import math
import os
from pathlib import Path
from typing import Any

from recipes.errors import RecipeError


class MetricsFile:
    """Writer that appends rows to a file, each complete before training continues.

    Resuming at a step removes the rows after it, and an incomplete line of a killed process, so
    that the file of an interrupted and resumed run equals that of an uninterrupted one.

    Raises:
        RecipeError: A line that is not a row, or a file that cannot be written.
    """

    def __init__(self, path: Path, *, after_step: int = 0):
        self._path = path
        kept = sum(len(line) for line, row in _rows(path) if row["step"] <= after_step)
        try:
            path.touch()
            # Truncated in place, so that earlier rows are never missing.
            os.truncate(path, kept)
        except OSError as error:
            raise self._refused(error) from error

    def append(self, row: dict[str, Any]) -> None:
        """Write one row; a number that is not finite becomes null, as JSON has no such number.

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
    """Read the rows of a metrics file, without an incomplete last line.

    Raises:
        RecipeError: A line that is not a row.
    """
    return [row for _, row in _rows(path)]


def _rows(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """Yield each line with its row."""
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    rows = []
    for number, line in enumerate(lines, start=1):
        # A killed process may leave an incomplete line, without a line break.
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
