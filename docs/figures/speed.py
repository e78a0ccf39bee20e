"""Losses of races, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from _build.drawing import BLUE, MUTED, ORANGE, style


def curves(runs: Mapping[str, np.ndarray], over: int = 5) -> Any:
    """Training loss by step, averaged over a few, a line for each of up to three races."""
    style()
    figure, axes = plt.subplots(figsize=(5.4, 3.4))
    for colour, (name, losses) in zip((BLUE, ORANGE, MUTED), runs.items(), strict=False):
        means = losses[: len(losses) // over * over].reshape(-1, over).mean(axis=1)
        axes.plot((np.arange(len(means)) + 0.5) * over, means, color=colour, label=name)
    axes.set(xlabel="step", ylabel="training loss, nats per character")
    axes.set_xlim(left=0)
    axes.legend(loc="upper right")
    return figure
