"""Axes of a chart: round ticks, their labels, and the pixel of each value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# From here on labels are in thousands, millions and so on.
COMPACT = 10_000
UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))


@dataclass(frozen=True)
class Axis:
    """A range of values on a range of pixels.

    Attributes:
        low: Least value.
        high: Greatest value.
        start: Pixel of the least value.
        end: Pixel of the greatest value.
        is_log: Whether equal ratios, not equal differences, are equally far apart.
        spacing: Pixels between ticks, at least, on a linear axis.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False
    spacing: float = 30.0

    def place(self, values: np.ndarray) -> np.ndarray:
        """Pixels of values."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, values = math.log(low), math.log(high), np.log(values)
        return self.start + (values - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str, float]]:
        """Values of the ticks, their labels and their pixels."""
        if self.is_log:
            values = log_ticks(self.low, self.high)
        else:
            most = max(2, int(abs(self.end - self.start) / self.spacing))
            values = ticks(self.low, self.high, most=most)
        pixels = self.place(np.asarray(values, float)).tolist()
        return list(zip(values, labels(values), pixels, strict=True))


def axis_for(values: np.ndarray, start: float, end: float, *, from_zero: bool = False) -> Axis:
    """Choose the range and the scale of an axis for finite values.

    The scale is logarithmic where all values are positive and the greatest is ten times the least.

    Args:
        values: What the axis has to show.
        start: Pixel of its least value.
        end: Pixel of its greatest value.
        from_zero: Begin a linear axis at zero.
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if not from_zero and low > 0.0 and high >= 10.0 * low:
        room = (high / low) ** 0.04
        return Axis(low / room, high * room, start, end, is_log=True)
    if from_zero:
        low = min(low, 0.0)
    if high == low:
        room = abs(low) / 10.0 or 1.0
        return Axis(low - room, high + room, start, end)
    room = (high - low) * 0.04
    return Axis(low - (0.0 if from_zero else room), high + room, start, end)


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within a range.

    Example:
        >>> ticks(1.43, 4.31)
        [1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
        >>> ticks(0, 1200)
        [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]
    """
    digits = math.floor(math.log10((high - low) / most))
    step = next(
        step
        for step in (factor * 10.0**digits for factor in (1, 2, 5, 10))
        if step * most >= (high - low) * (1 - 1e-9)
    )
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Adding zero turns -0.0 into 0.0.
    return [round(number * step, max(0, -digits)) + 0.0 for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within a range, with 2 and 5 times each where few powers are.

    Example:
        >>> log_ticks(0.03, 3.0)
        [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
        >>> log_ticks(0.00003, 3.0)
        [0.0001, 0.001, 0.01, 0.1, 1.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    every = 1 + (last - first) // 8
    found = [
        float(f"{factor}e{power}")
        for power in range(first, last + 1)
        if power % every == 0
        for factor in factors
    ]
    return [value for value in found if low <= value <= high]


def labels(values: list[float]) -> list[str]:
    """Label ticks, with as many digits as tell them apart, and k, M or G for great ones.

    Example:
        >>> labels([0.0, 0.5, 1.0]), labels([0.0, 5000.0]), labels([0.0, 5000.0, 10000.0])
        (['0', '0.5', '1'], ['0', '5,000'], ['0', '5k', '10k'])
    """
    greatest = max(map(abs, values), default=0.0)
    unit, factor = "", 1.0
    if greatest >= COMPACT:
        unit, factor = next(pair for pair in UNITS if greatest >= pair[1])
    return [_label(value / factor, unit if value else "") for value in values]


def _label(value: float, unit: str) -> str:
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:g}{unit}"
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return f"{text}{unit}"
