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
        lines: levels by name, drawn across; at most two.
        bottom: where the axis of losses starts.
        every: steps between two losses of a curve.
    """
    import matplotlib.pyplot as plt

    from figures import MUTED, ORANGE, style

    style()
    figure, axes = plt.subplots()
    last = max(map(len, curves.values())) * every
    for name, values in curves.items():
        axes.plot([every * (i + 1) for i in range(len(values))], values, label=name)
    for (name, level), dashes in zip(lines.items(), ("--", "-"), strict=False):
        colour = MUTED if dashes == "--" else ORANGE
        axes.axhline(level, color=colour, linestyle=dashes, linewidth=1.4, label=name)
    axes.set(xlabel="step", ylabel="nats per character", xlim=(0, last))
    axes.set_ylim(bottom=bottom)
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.92))
    return figure


def tables(matrices: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Matrices of probabilities side by side, with what their rows and columns stand for."""
    import matplotlib.pyplot as plt

    from figures import heatmap, style

    style()
    figure, row = plt.subplots(1, len(matrices), figsize=(6.8, 3.4))
    most = max(float(matrix.max()) for matrix in matrices.values())
    for axes, (title, matrix) in zip(row, matrices.items(), strict=True):
        heatmap(axes, matrix, most)
        axes.set_title(title, fontsize=11)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
    return figure


def maps(matrices: Mapping[str, Any]) -> Any:
    """Attention weights side by side, each against its own largest; rows are queries."""
    import matplotlib.pyplot as plt
    import numpy as np

    from figures import heatmap, style

    style()
    figure, row = plt.subplots(1, len(matrices), figsize=(2.6 * len(matrices), 2.8))
    for axes, (title, matrix) in zip(row, matrices.items(), strict=True):
        heatmap(axes, np.asarray(matrix))
        axes.set_title(title, fontsize=11)
        axes.set(xticks=[], yticks=[])
    return figure


def text_map(weights: Any, text: str) -> Any:
    """The weights of one head over a text, with its characters at both axes; rows are queries."""
    import matplotlib.pyplot as plt
    import numpy as np

    from figures import heatmap, style

    style()
    figure, axes = plt.subplots(figsize=(5.2, 5.2))
    heatmap(axes, np.asarray(weights))
    names = ["␣" if character == " " else character for character in text]
    axes.set_xticks(range(len(names)), names, fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    return figure


def head_maps(weights: Any, text: str) -> Any:
    """The weights of four heads over a text, two by two, with its characters at the axes."""
    import matplotlib.pyplot as plt
    import numpy as np

    from figures import heatmap, style

    style()
    weights = np.asarray(weights)
    figure, grid = plt.subplots(2, 2, figsize=(6.8, 7.4))
    figure.get_layout_engine().set(h_pad=0.12)  # room between labels and the next row's titles
    names = ["␣" if character == " " else character for character in text]
    for number, (axes, matrix) in enumerate(zip(grid.flat, weights, strict=True)):
        heatmap(axes, matrix)
        axes.set_title(f"head {number}", fontsize=11)
        axes.set_xticks(range(len(names)), names, fontsize=9)
        axes.set_yticks(range(len(names)), names, fontsize=9)
    return figure
