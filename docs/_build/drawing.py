"""Figures as SVG that takes its colours from the page, so that it reads in light and in dark.

Matplotlib draws in the colours below, which stand for CSS variables (docs/assets/site.css); they
are replaced when the figure is written. Text stays text.
"""

from __future__ import annotations

import io
import re
from typing import Any

INK = "#010101"
MUTED = "#020202"
FAINT = "#030303"
PAPER = "#040404"
BLUE = "#050505"
ORANGE = "#060606"
GREEN = "#070707"
RED = "#080808"
PURPLE = "#090909"
SERIES = (BLUE, ORANGE, GREEN, RED, PURPLE)

VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--drawn-muted)",
    FAINT: "var(--drawn-faint)",
    PAPER: "var(--drawn-paper)",
    BLUE: "var(--drawn-blue)",
    ORANGE: "var(--drawn-orange)",
    GREEN: "var(--drawn-green)",
    RED: "var(--drawn-red)",
    PURPLE: "var(--drawn-purple)",
}
SALT = "linen-blocks"


def style() -> None:
    """Sets matplotlib's defaults to the look of the site."""
    import matplotlib as mpl

    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "axes.edgecolor": MUTED,
            "axes.facecolor": "none",
            "axes.grid": True,
            "axes.labelcolor": INK,
            "axes.prop_cycle": mpl.cycler(color=SERIES),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "none",
            "figure.figsize": (6.4, 3.4),
            "font.size": 11,
            "grid.color": FAINT,
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "patch.edgecolor": INK,
            "savefig.transparent": True,
            "svg.fonttype": "none",
            "svg.hashsalt": SALT,
            "text.color": INK,
            "xtick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.color": MUTED,
            "ytick.labelcolor": INK,
        }
    )


def heatmap(axes: Any, values: Any, most: float | None = None, colour: str = BLUE) -> None:
    """Draws a matrix as cells, the fuller the larger, which reads on any background.

    Values are at least 0; `most` is drawn opaque, by default the largest of them. Row 0 is on top.
    """
    import numpy as np
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    values = np.asarray(values)
    rows, columns = values.shape
    most = float(values.max()) if most is None else most
    shares = (values / (most or 1.0)).clip(0.0, 1.0)
    # Empty cells are not drawn and the grid is lines: a page with a few maps stays small.
    filled = [(r, c) for r, c in np.ndindex(rows, columns) if shares[r, c] >= 0.002]
    axes.add_collection(
        PatchCollection(
            [Rectangle((c - 0.5, r - 0.5), 1, 1) for r, c in filled],
            facecolor=[(colour, round(float(shares[cell]), 3)) for cell in filled],
            edgecolor="none",
        )
    )
    across = [[(-0.5, r - 0.5), (columns - 0.5, r - 0.5)] for r in range(rows + 1)]
    down = [[(c - 0.5, -0.5), (c - 0.5, rows - 0.5)] for c in range(columns + 1)]
    axes.add_collection(LineCollection(across + down, color=FAINT, linewidth=0.5))
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def is_figure(value: Any) -> bool:
    """A figure of matplotlib, or what can draw itself, as a `Diagram`."""
    return hasattr(value, "_repr_svg_") or hasattr(value, "savefig")


def svg(value: Any) -> str:
    """A figure as SVG in one line: the same for the same figure, without size, date or colour."""
    if hasattr(value, "_repr_svg_"):
        return _one_line(value._repr_svg_())
    file = io.StringIO()
    value.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    import matplotlib.pyplot as plt

    plt.close("all")
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text)
    text = re.sub(r' xmlns:xlink="[^"]*"', "", text).replace("xlink:href", "href")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    return _one_line(text)


def placed(drawn: str, number: int, alt: str, caption: str = "") -> str:
    """A figure as it stands in a page: with what it says in words, and names of its own."""
    drawn = re.sub(r'\bid="', f'id="d{number}-', drawn)
    drawn = re.sub(r"url\(#", f"url(#d{number}-", drawn)
    drawn = re.sub(r'href="#', f'href="#d{number}-', drawn)
    drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{_escaped(alt)}"', 1)
    words = f"<figcaption>{_escaped(caption)}</figcaption>" if caption else ""
    return f'<figure class="drawn" data-search-exclude>{drawn}{words}</figure>'


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _escaped(text: str) -> str:
    import html

    return html.escape(text, quote=True)
