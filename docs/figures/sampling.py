"""Distributions over the next token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from _build.drawing import style


def bars(names: Sequence[str], series: Mapping[str, Any]) -> Any:
    """Probabilities of the same tokens in several distributions, side by side."""
    style()
    figure, axes = plt.subplots()
    width = 0.8 / len(series)
    for number, (label, probabilities) in enumerate(series.items()):
        offset = (number - (len(series) - 1) / 2) * width
        places = np.arange(len(names)) + offset
        axes.bar(places, np.asarray(probabilities), width=width, label=label, edgecolor="none")
    axes.set(ylabel="probability", xticks=range(len(names)))
    axes.set_xticklabels(names)
    axes.grid(visible=False, axis="x")
    axes.legend()
    return figure
