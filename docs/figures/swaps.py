"""The loss of a model as its parts are swapped, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from _build.drawing import BLUE, FAINT, style


def staircase(losses: Mapping[str, float], noise: float) -> Any:
    """A point for each model in a row, with a band as wide as chance."""
    style()
    names, values = list(losses), np.array(list(losses.values()))
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    places = np.arange(len(names))
    axes.fill_between(
        places, values - noise / 2, values + noise / 2, color=FAINT, alpha=0.6, linewidth=0
    )
    axes.plot(places, values, color=BLUE, marker="o")
    axes.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set(ylabel="validation loss, nats")
    return figure
