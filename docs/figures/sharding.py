"""How arrays lie on devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from _build.drawing import BLUE, INK, style


def pieces(arrays: Mapping[str, tuple[tuple[int, int], Any]], columns: int = 2) -> Any:
    """Matrices cut into the pieces that devices hold, each with the numbers of its devices.

    Args:
        arrays: shape and sharding by title; the shape gives the proportions too.
        columns: of the figure.
    """
    style()
    rows = -(-len(arrays) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(6.4, 2.3 * rows))
    for axes, (title, (shape, sharding)) in zip(np.ravel(grid), arrays.items(), strict=True):
        height, width = shape
        holders: dict[tuple[int, int, int, int], list[int]] = {}
        for device, (down, across) in sharding.devices_indices_map(shape).items():
            top, bottom, _ = down.indices(height)
            left, right, _ = across.indices(width)
            holders.setdefault((top, bottom, left, right), []).append(device.id)
        for (top, bottom, left, right), devices in holders.items():
            corner, size = (left, top), (right - left, bottom - top)
            shade = 0.16 + 0.2 * ((left // size[0] + top // size[1]) % 2)
            axes.add_patch(Rectangle(corner, *size, facecolor=(BLUE, shade), edgecolor="none"))
            axes.add_patch(Rectangle(corner, *size, facecolor="none", edgecolor=INK, linewidth=1))
            centre = ((left + right) / 2, (top + bottom) / 2)
            axes.annotate(_listed(sorted(devices)), centre, ha="center", va="center", fontsize=10)
        axes.set(xlim=(-0.02 * width, 1.02 * width), ylim=(1.02 * height, -0.02 * height))
        axes.set_title(title, fontsize=11)
        axes.axis("off")
    return figure


def _listed(numbers: list[int]) -> str:
    """Numbers in few signs: a run as its ends."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}\N{EN DASH}{numbers[-1]}"
    return ", ".join(map(str, numbers))
