"""What a run shows of itself, drawn anew at every evaluation: `curve.svg` and `report.html`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recipes.data.files import write_atomically
from recipes.errors import RecipeError
from recipes.runs.folder import RunFolder
from recipes.runs.history import History
from recipes.runs.report_page import loss_curve, name_of, report
from recipes.trainer.metrics import parse_metrics

CURVE, REPORT = "curve.svg", "report.html"


class Pictures:
    """Writer of a run's pictures, whose failures do not end training.

    Args:
        folder: Folder of the run.
        rows: Rows of metrics so far, as the file holds them.
        parameters: Number of parameters of the model.
    """

    def __init__(self, folder: RunFolder, rows: bytes = b"", parameters: int | None = None):
        self._folder = folder
        self._parameters = parameters
        self._history = History(parse_metrics(rows, str(folder.metrics)))
        self._said = False

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of metrics."""
        self._history.add(row)

    def write(self) -> str | None:
        """Draw and write; return why not, in one sentence and once, or None."""
        try:
            write_pictures(self._folder, self._history, self._parameters)
        except Exception as error:  # Training is worth more than any fault in a picture of it.
            return self._explained(error)
        return None

    def _explained(self, error: Exception) -> str | None:
        if self._said:
            return None
        self._said = True
        if isinstance(error, OSError):
            reason = f"{error.strerror}"
        else:
            reason = error.cause if isinstance(error, RecipeError) else f"{error!r}"
        return f"{CURVE} and {REPORT} are not up to date: {reason.rstrip('.')}."


def write_pictures(folder: RunFolder, history: History, parameters: int | None = None) -> None:
    """Write the curve and the report of a run.

    Raises:
        OSError: The folder cannot be written.
        RecipeError: A file of the run is damaged.
    """
    curve = loss_curve(name_of(folder), history)
    # Drawn again whenever it is lost, so that training need not wait for the disk.
    write_atomically(folder.path / CURVE, curve.encode(), durable=False)
    page = report(folder, history, parameters)
    write_atomically(folder.path / REPORT, page.encode(), durable=False)
