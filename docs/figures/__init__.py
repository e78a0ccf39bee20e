"""What the figures of the pages are drawn with."""

from _build.drawing import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    heatmap,
    style,
)
from figures.diagram import Diagram

__all__ = [
    "BLUE",
    "FAINT",
    "GREEN",
    "INK",
    "MUTED",
    "ORANGE",
    "PAPER",
    "PURPLE",
    "RED",
    "Diagram",
    "heatmap",
    "style",
]
