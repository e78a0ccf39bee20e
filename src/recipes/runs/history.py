"""What the metrics of a run say: series over steps, the best step, the speed."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from recipes.runs.folder import RunFolder
from recipes.trainer.metrics import ranked, read_metrics


class Series(NamedTuple):
    """Values of one metric; NaN where a row had none that is finite.

    Attributes:
        steps: Steps of the rows that have the metric.
        values: Its values there.
    """

    steps: np.ndarray
    values: np.ndarray

    def finite(self) -> Series:
        """The series without its gaps."""
        kept = np.isfinite(self.values)
        return Series(self.steps[kept], self.values[kept])

    def by_step(self) -> dict[int, float]:
        """The finite values by their steps."""
        steps, values = self.finite()
        return dict(zip(steps.tolist(), values.tolist(), strict=True))

    def best(self) -> tuple[int, float] | None:
        """The first step with the lowest value, and that value; None without a finite one."""
        values = self.by_step()
        return next(((step, values[step]) for step in ranked(values)), None)

    def thinned(self, buckets: int) -> Series:
        """At most three points per bucket: its least, its greatest, and its first gap."""
        count = len(self.steps)
        if count <= 3 * buckets:
            return self
        size = -(-count // buckets)
        padding = (0, -count % size)
        gaps = np.isnan(self.values)

        def first(values: np.ndarray, filler: float) -> np.ndarray:
            rows = np.pad(values, padding, constant_values=filler).reshape(-1, size)
            return rows.argmin(axis=1) + np.arange(len(rows)) * size

        least = first(np.where(gaps, np.inf, self.values), np.inf)
        greatest = first(np.where(gaps, np.inf, -self.values), np.inf)
        gap = first(~gaps, True)
        kept = np.unique(np.concatenate([least, greatest, gap[gaps[gap]]]))
        return Series(self.steps[kept], self.values[kept])


class History:
    """The metrics of a run as series, which grow row by row.

    Args:
        rows: Rows as `metrics.jsonl` holds them, in the order of steps.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()):
        self._columns: dict[str, tuple[array[int], array[float]]] = {}
        self._steps = array("q")
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; what is neither a number nor None is left out."""
        self._steps.append(row["step"])
        for name, value in row.items():
            if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
                steps, values = self._columns.setdefault(name, (array("q"), array("d")))
                steps.append(row["step"])
                values.append(_finite(value))

    def series(self, name: str) -> Series:
        """The series of a metric, empty where no row has it."""
        steps, values = self._columns.get(name, (array("q"), array("d")))
        return Series(np.array(steps, np.int64), np.array(values, float))

    @property
    def last_step(self) -> int:
        """Step of the last row; 0 before the first."""
        return self._steps[-1] if self._steps else 0

    def best(self) -> tuple[int, float] | None:
        """The step with the lowest validation loss, and that loss; None before an evaluation."""
        return self.series("val_loss").best()

    def last(self, name: str) -> float | None:
        """The last value of a metric; None where there is none that is finite."""
        _, values = self.series(name)
        return float(values[-1]) if len(values) and np.isfinite(values[-1]) else None

    def throughput(self) -> Series:
        """Tokens per second between each row and the one before, without compiling."""
        steps, seconds = self.series("seconds")
        tokens = self.series("tokens").values
        if len(tokens) != len(seconds) or not len(seconds):
            return Series(steps[:0], seconds[:0])
        spent = np.diff(seconds, prepend=0.0)
        rates = np.diff(tokens, prepend=0.0) / np.where(spent > 0.0, spent, np.nan)
        return Series(steps, rates)

    def tokens_per_second(self) -> float | None:
        """Tokens per second of the whole run; None before the first row."""
        tokens, seconds = self.last("tokens"), self.last("seconds")
        return tokens / seconds if tokens and seconds else None


def _finite(value: float | None) -> float:
    """A value of a row; NaN where it is not finite, or more than a float can be."""
    try:
        return value if value is not None and math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan


def read_history(folder: RunFolder) -> History:
    """Read the metrics of a run.

    Raises:
        RecipeError: They are damaged, or cannot be read.
    """
    return History(read_metrics(folder.metrics))
