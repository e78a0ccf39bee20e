"""Attention weights as a figure: a map for each head, in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def attention_maps(
    weights: Any, tokens: Sequence[str] | None = None, titles: Sequence[str] | None = None
) -> Any:
    """Draws the weights of one sequence, heads x queries x keys; rows are queries.

    A cell is the fuller the larger its weight. Weights below 0, as differential attention has, are
    drawn in another colour.

    Args:
        weights: of one sequence, as `attention_weights(...)[path][0]`.
        tokens: what to write at both axes; None writes nothing.
        titles: one for each head; None numbers them.

    Returns:
        A figure of matplotlib in the colours of the page, the same for the same weights.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    from figures import BLUE, ORANGE, heatmap, style

    style()
    weights = np.asarray(weights, np.float32)
    most = float(np.abs(weights).max())
    heads = len(weights)
    titles = [f"head {head}" for head in range(heads)] if titles is None else titles
    figure, row = plt.subplots(1, heads, figsize=(2.2 * heads, 2.5), squeeze=False)
    for axes, map_, title in zip(row[0], weights, titles, strict=True):
        heatmap(axes, map_.clip(min=0.0), most, BLUE)
        if (map_ < 0.0).any():
            heatmap(axes, (-map_).clip(min=0.0), most, ORANGE)
        axes.set_title(title, fontsize=11)
        axes.set(xticks=[], yticks=[])
        if tokens is not None:
            axes.set_xticks(range(len(tokens)), tokens, rotation=90)
            axes.set_yticks(range(len(tokens)), tokens)
    return figure
