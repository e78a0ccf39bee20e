"""Figures of the course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def losses(
    curves: Mapping[str, Sequence[float]],
    lines: Mapping[str, float],
    bottom: float,
    every: int = 1,
) -> Any:
    """Losses over training steps, and levels to compare them with.

    Args:
        curves: losses by the name of the run, one each `every` steps.
        lines: levels by name, drawn across and named at the right, above the line.
        bottom: where the axis of losses starts.
        every: steps between two losses of a curve.
    """
    import matplotlib.pyplot as plt

    from figures import MUTED, style

    style()
    figure, axes = plt.subplots()
    last = max(map(len, curves.values())) * every
    for name, level in lines.items():
        axes.axhline(level, color=MUTED, linestyle="--", linewidth=1)
        axes.annotate(name, (last, level), ha="right", va="bottom", color=MUTED)
    for name, values in curves.items():
        axes.plot([every * (i + 1) for i in range(len(values))], values, label=name)
    axes.set(xlabel="step", ylabel="nats per character", xlim=(0, last))
    axes.set_ylim(bottom=bottom)
    if len(curves) > 1:
        axes.legend(loc="upper center")
    return figure
