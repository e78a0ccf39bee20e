"""The loss of models by the place of a token in its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from _build.drawing import MUTED, style


def loss_by_place(series: Mapping[str, Any], trained: int, smooth: int = 8) -> Any:
    """One line for each model, a mean over `smooth` places, and where training ended."""
    style()
    figure, axes = plt.subplots()
    axes.axvline(trained, color=MUTED, linestyle="--", linewidth=1)
    length = max(len(losses) for losses in series.values())
    for name, losses in series.items():
        means = np.convolve(np.asarray(losses), np.ones(smooth) / smooth, mode="valid")
        axes.plot(np.arange(len(means)) + (smooth + 1) / 2, means, label=name)
    axes.set(xlabel="place in the text", ylabel="nats per byte", xlim=(1, length))
    axes.legend()
    return figure
