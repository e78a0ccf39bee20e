"""The losses of recipes against what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt

from _build.drawing import BLUE, MUTED, ORANGE, style

History = Sequence[tuple[int, float, float]]


def steps_and_seconds(runs: Mapping[str, Sequence[History]]) -> Any:
    """Loss by step and by second, a line for each seed; a dashed line where the first recipe ends.

    Args:
        runs: for each of two recipes, its histories of step, seconds and loss.
    """
    style()
    first = next(iter(runs.values()))
    goal = sum(history[-1][2] for history in first) / len(first)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.6), sharey=True)
    for axes, column, label in ((left, 0, "step"), (right, 1, "seconds")):
        axes.axhline(goal, color=MUTED, linestyle="--", linewidth=1)
        for colour, (name, histories) in zip((BLUE, ORANGE), runs.items(), strict=True):
            for number, history in enumerate(histories):
                axes.plot(
                    [row[column] for row in history],
                    [row[2] for row in history],
                    color=colour,
                    linewidth=1.2,
                    label=name if number == 0 else None,
                )
        axes.set(xlabel=label)
        axes.set_xlim(left=0)
    left.set(ylabel="validation loss, nats per character")
    right.legend(loc="upper right")
    return figure
