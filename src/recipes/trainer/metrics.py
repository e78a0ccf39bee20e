"""Metrics as JSON lines: one row per line, in the order of steps."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipes.data.files import write_atomically
from recipes.errors import RecipeError


class MetricsFile:
    """Writer that appends rows to a file, each complete before training continues.

    A checkpoint has a copy of the rows up to its step. Resuming restores from it what the file
    lacks, so that the file of an interrupted and resumed run equals that of an uninterrupted one.
    Rows after that step stay in the file until `settle`.

    Attributes:
        rows: The rows so far, as the file holds them.

    Raises:
        RecipeError: The file cannot be read or written.
    """

    def __init__(self, path: Path, *, rows: bytes = b""):
        self.rows = rows
        self._path = path
        found = _content(path)
        self._has_later = found.startswith(rows) and found != rows
        if not found.startswith(rows):
            if not rows.startswith(found):
                self._write(_aside(path), found)
            self._write(path, rows)

    def append(self, row: dict[str, Any]) -> None:
        """Write one row; a number that is not finite becomes null, as JSON has no such number.

        Raises:
            RecipeError: The file cannot be written.
        """
        line = (json.dumps(without_nan(row), allow_nan=False) + "\n").encode()
        self.rows += line
        if self._has_later:
            return
        try:
            with self._path.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise _refused(self._path, error) from error

    def settle(self) -> None:
        """Replace the rows of the course that was left, now that the new one has saved a step.

        Raises:
            RecipeError: The file cannot be written.
        """
        if self._has_later:
            self._write(self._path, self.rows)
            self._has_later = False

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_atomically(path, content)
        except OSError as error:
            raise _refused(path, error) from error


def without_nan(row: dict[str, Any]) -> dict[str, Any]:
    """A row with None for each number that is not finite, as JSON has no such number.

    Example:
        >>> without_nan({"step": 10, "val_loss": float("nan")})
        {'step': 10, 'val_loss': None}
    """
    return {
        name: value if not isinstance(value, float) or math.isfinite(value) else None
        for name, value in row.items()
    }


def ranked(values: Mapping[int, float | None], *, highest: bool = False) -> list[int]:
    """Steps by a value that was measured there, the best first; of equal ones the earlier.

    Args:
        values: The value of each step; one that is None or not finite is no measurement.
        highest: Whether the best value is the highest, not the lowest.

    Example:
        >>> ranked({10: 2.0, 20: 1.5, 30: None, 40: 1.5})
        [20, 40, 10]
    """
    sign = -1.0 if highest else 1.0
    measured = [
        (sign * value, step)
        for step, value in values.items()
        if value is not None and math.isfinite(value)
    ]
    return [step for _, step in sorted(measured)]


def rows_after(path: Path, rows: bytes) -> int:
    """Count the rows of a file after those that a checkpoint has."""
    found = _content(path)
    return len(found[len(rows) :].splitlines()) if found.startswith(rows) else 0


def find_lost_rows(path: Path, rows: bytes) -> str | None:
    """Say how a file differs from the rows that a checkpoint has of it; None if it does not."""
    found = _content(path)
    if found.startswith(rows):
        return None
    if not os.path.lexists(path):
        reason = "is missing"
    elif rows.startswith(found):
        reason = "is cut short"
    elif found.replace(b"\r\n", b"\n").startswith(rows):
        reason = "has other line ends, as version control may set them"
    else:
        reason = "is not what was written"
    aside = "" if rows.startswith(found) else f"; what it held is kept in {_aside(path).name}"
    return f"{path.name} {reason}: its rows are restored from the checkpoint{aside}."


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a metrics file, without an incomplete last line.

    Raises:
        RecipeError: A line that is not a row, or a file that cannot be read.
    """
    return parse_metrics(_content(path), str(path))


def parse_metrics(content: bytes, name: str) -> list[dict[str, Any]]:
    """Parse the rows of a metrics file, without an incomplete last line.

    Args:
        content: What the file holds.
        name: Its name, for the error.

    Raises:
        RecipeError: A line that is not a row.
    """
    rows = []
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if type(row["step"]) is not int or not 0 <= row["step"] < 2**63:
                raise TypeError("a step is a count")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            # A killed process may leave an incomplete line, without a line break.
            if number == len(lines) and not line.endswith(b"\n"):
                break
            raise RecipeError(
                f"Line {number} of {name!r} is not a row of metrics.", "Delete that line."
            ) from error
        rows.append(row)
    return rows


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RecipeError(
            f"{str(path)!r} cannot be read: {error.strerror}.",
            "Mend its permissions, or move it away to have its rows restored.",
        ) from error


def _aside(path: Path) -> Path:
    """A name beside a file that is not taken."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.stem}.found-{number}{path.suffix}")):
        number += 1
    return aside


def _refused(path: Path, error: OSError) -> RecipeError:
    return RecipeError(
        f"{str(path)!r} cannot be written: {error.strerror}.",
        "Free disk space or fix the permissions, then resume the run.",
    )
