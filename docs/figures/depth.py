"""Figures of what happens through the depth of a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from _build.drawing import style


def by_layer(series: Mapping[str, Any], label: str) -> Any:
    """One line for each series over the layers, from 1, on a logarithmic axis."""
    style()
    figure, axes = plt.subplots()
    _lines(axes, series, label)
    axes.legend()
    return figure


def two_by_layer(series: Mapping[str, tuple[Any, Any]], labels: Sequence[str]) -> Any:
    """Two panels over the layers, for what each series measured; the first names the lines."""
    style()
    figure, both = plt.subplots(1, 2, figsize=(8.0, 3.4))
    for panel, axes in enumerate(both):
        _lines(axes, {name: pair[panel] for name, pair in series.items()}, labels[panel])
    both[1].legend()
    return figure


def _lines(axes: Any, series: Mapping[str, Any], label: str) -> None:
    for name, values in series.items():
        axes.plot(range(1, len(values) + 1), np.asarray(values), label=name)
    axes.set(xlabel="layer", ylabel=label, yscale="log")
