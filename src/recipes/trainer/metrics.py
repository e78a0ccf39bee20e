"""Metrics as JSON lines: one row per line, in the order of steps."""

import json
from pathlib import Path
from typing import Any

from recipes.errors import RecipeError


class MetricsFile:
    """Appends rows to a file, each complete on disk before training goes on.

    Resuming at a step drops the rows after it, so that the file of an interrupted and resumed run
    holds what that of an uninterrupted one does.
    """

    def __init__(self, path: Path, *, after_step: int = 0):
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= after_step]
        path.write_text("".join(kept), encoding="utf-8")
        self._path = path

    def append(self, row: dict[str, Any]) -> None:
        """Writes one row.

        Raises:
            RecipeError: The file cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise RecipeError(
                f"{str(self._path)!r} cannot be written: {error.strerror}.",
                "Make room or mend the permissions, then resume the run.",
            ) from error


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics file; a last line that was cut short is left out."""
    return [json.loads(line) for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    # A process that was killed may leave half a line, which has no end.
    return [line for line in path.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]
