"""Line charts as SVG, without a plotting library: light and dark, on a page or a phone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recipes.runs.chart_style import COLORS, DASHES, FONT, STYLE
from recipes.runs.escaping import escaped, shortened
from recipes.runs.history import Series
from recipes.runs.ticks import Axis, axis_for

WIDTH = 600
# Most buckets that a line is thinned to, and most points that are marked.
BUCKETS, MARKED = 240, 60
# Most characters of a title, and of a name in the legend.
TITLE, NAME = 46, 40
# Distances are for the larger font of narrow screens, in units of the view box.
LINE = 30
TOP, RIGHT, BOTTOM, EDGE = 46, 16, 42, 6


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: What it is; in the legend unless empty.
        series: Its points; NaN is a gap.
        color: Place of its colour; more than there are have dashes.
        faint: Whether it stands behind the others.
        marks: Whether its points and the lowest of them are marked.
    """

    name: str
    series: Series
    color: int = 0
    faint: bool = False
    marks: bool = False


def chart(
    lines: Sequence[Line],
    *,
    title: str,
    unit: str,
    height: int = 360,
    from_zero: bool = False,
) -> str:
    """Draw lines over steps.

    Args:
        lines: The lines, the last one on top.
        title: Title of the chart.
        unit: What the vertical axis measures; the chart adds `log` where it is logarithmic.
        height: Height of the chart, without the rows of the legend.
        from_zero: Begin the vertical axis at zero.
    """
    keys = list(_legend(lines))
    top = TOP + LINE * (keys[-1][1] + 1 if keys else 0)
    bottom = height + top - TOP - BOTTOM
    finite = [line.series.finite() for line in lines]
    values = np.concatenate([series.values for series in finite] or [np.zeros(0)])
    last = max((int(line.series.steps[-1]) for line in lines if len(line.series.steps)), default=0)
    y = axis_for(values, bottom, top + LINE, from_zero=from_zero)
    left = 14 + max(_width(label) for _, label, _ in y.ticks())
    x = Axis(0.0, float(max(last, 1)), left, WIDTH - RIGHT, spacing=85.0)
    unit = f"{unit}, log scale" if y.is_log else unit
    parts = [
        f'<rect class="ground" width="{WIDTH}" height="{bottom + BOTTOM}" rx="6"/>',
        f'<text class="title" x="12" y="30">{escaped(shortened(title, TITLE))}</text>',
        *(_key(line, row, place) for line, row, place in keys),
        f'<text class="unit" x="12" y="{top + 14}">{escaped(unit)}</text>',
        *_grid(x, y),
        *(part for line in lines for part in _curve(line, x, y)),
    ]
    if not values.size:
        parts.append(f'<text x="{left + 12}" y="{(top + bottom) / 2}">nothing measured yet</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" '
        f'aria-label="{escaped(title)}: {escaped(unit)} over steps" width="{WIDTH}" '
        f'height="{bottom + BOTTOM}" viewBox="0 0 {WIDTH} {bottom + BOTTOM}">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _grid(x: Axis, y: Axis) -> Iterator[str]:
    for _, label, at in y.ticks():
        yield f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="y" x="{x.start - 8}" y="{at + 5:.1f}" text-anchor="end">{label}</text>'
    yield f'<path class="axis" d="M{x.start} {y.start}H{x.end}"/>'
    for number, (_, label, at) in enumerate(x.ticks()):
        label = label if number else f"step {label}"
        half = _width(label) / 2
        place, anchor = at, "middle"
        if at - half < EDGE:
            place, anchor = EDGE, "start"
        elif at + half > WIDTH - EDGE:
            place, anchor = WIDTH - EDGE, "end"
        yield (
            f'<path class="axis" d="M{at:.1f} {y.start}v5"/>'
            f'<text class="x" x="{place:.1f}" y="{y.start + 26}" text-anchor="{anchor}" '
            f'data-at="{at:.1f}">{label}</text>'
        )


def _curve(line: Line, x: Axis, y: Axis) -> Iterator[str]:
    steps, values = line.series.thinned(BUCKETS)
    if not len(steps):
        return
    points = list(zip(x.place(steps).tolist(), y.place(values).tolist(), strict=True))
    path, drawn = [], False
    for place, (across, down) in enumerate(points):
        if down != down:
            drawn = False
            continue
        # A point between two gaps has no line to its neighbours: a line of no length is a dot.
        alone = not drawn and not any(
            point[1] == point[1] for point in points[place + 1 : place + 2]
        )
        path.append(f"{'L' if drawn else 'M'}{across:.1f} {down:.1f}{'h0' if alone else ''}")
        drawn = True
    yield f'<path {_stroke(line)} d="{"".join(path)}"/>'
    if line.marks:
        yield from _marks(line, x, y)


def _marks(line: Line, x: Axis, y: Axis) -> Iterator[str]:
    """Dots on the points, if they are few, and a ring on the best; each says what it is."""
    values, best = line.series.by_step(), line.series.best()
    if best is None:
        return
    color = f"var(--c{line.color % len(COLORS)})"
    marked = values if len(values) <= MARKED else [best[0]]
    for step in sorted(marked, key=lambda step: step == best[0]):
        across, down = x.place(np.asarray(step)), y.place(np.asarray(values[step]))
        at = f'cx="{across:.1f}" cy="{down:.1f}"'
        paint = f'class="point" r="4" fill="{color}"'
        if step == best[0]:
            paint = f'class="best" r="6" stroke="{color}"'
        said = f"{line.name}: {values[step]:.4g} at step {step:,}"
        yield f"<circle {at} {paint}><title>{escaped(said)}</title></circle>"


def _legend(lines: Sequence[Line]) -> Iterator[tuple[Line, int, float]]:
    """The lines with names, and the row and place of each in the legend."""
    row, place = 0, 12.0
    for line in lines:
        if line.name:
            width = 44 + _width(shortened(line.name, NAME))
            if place > 12.0 and place + width > WIDTH:
                row, place = row + 1, 12.0
            yield line, row, place
            place += width


def _key(line: Line, row: int, place: float) -> str:
    down = TOP + LINE * row + 14
    name = escaped(shortened(line.name, NAME))
    return (
        f'<path {_stroke(line)} d="M{place:.0f} {down - 5}h20"/>'
        f'<text class="key" x="{place + 27:.0f}" y="{down}">{name}</text>'
    )


def _stroke(line: Line) -> str:
    """Attributes of the paths of a line."""
    kind = "curve faint" if line.faint else "curve"
    color, dash = line.color % len(COLORS), DASHES[line.color // len(COLORS) % len(DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'class="{kind}" stroke="var(--c{color})"{dashed}'


def _width(text: str) -> float:
    """Width of a text in the larger font, roughly."""
    return 0.56 * FONT * len(text)
