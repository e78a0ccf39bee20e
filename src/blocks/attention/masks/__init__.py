"""Masks as values: rules for visible keys, written as `Causal() & SlidingWindow(1024)`."""

from blocks.attention.masks.inputs import Padding, Segments, visible
from blocks.attention.masks.mask import And, Mask, Not, Or
from blocks.attention.masks.rules import (
    Bidirectional,
    Causal,
    ChunkedLocal,
    Dilated,
    Prefix,
    SlidingWindow,
)

__all__ = [
    "And",
    "Bidirectional",
    "Causal",
    "ChunkedLocal",
    "Dilated",
    "Mask",
    "Not",
    "Or",
    "Padding",
    "Prefix",
    "Segments",
    "SlidingWindow",
    "visible",
]
