"""The curve of a run, from its own metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt

from _build.drawing import BLUE, MUTED, ORANGE, style


def training_curve(rows: Sequence[dict[str, Any]], resumed: int, guess: float) -> Any:
    """Training and validation loss by step, where the run went on, and a uniform guess."""
    style()
    figure, axes = plt.subplots()
    axes.axhline(guess, color=MUTED, linestyle=":", linewidth=1)
    axes.axvline(resumed, color=MUTED, linestyle="--", linewidth=1)
    axes.annotate("a uniform guess", (rows[-1]["step"], guess), ha="right", va="bottom")
    axes.plot(
        [r["step"] for r in rows], [r["train_loss"] for r in rows], color=BLUE, label="training"
    )
    measured = [r for r in rows if "val_loss" in r]
    axes.plot(
        [r["step"] for r in measured],
        [r["val_loss"] for r in measured],
        color=ORANGE,
        marker="o",
        label="validation",
    )
    axes.set(xlabel="step", ylabel="nats per character", xlim=(0, rows[-1]["step"]))
    axes.legend(loc="center right")
    return figure
