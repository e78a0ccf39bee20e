"""Diagrams of blocks: boxes on a grid, arrows between them, from top to bottom."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

COLUMN, ROW = 116, 64
WIDTH, HEIGHT = 100, 36
CIRCLE = 12


@dataclass(frozen=True)
class Node:
    """Something drawn, with what stands in it and the half sizes that arrows stop at."""

    text: str
    x: float
    y: float
    half_width: float
    half_height: float

    def is_crossed(self, path: Sequence[tuple[float, float]]) -> bool:
        """Whether a path of horizontal and vertical lines leads through it; its edge is outside."""
        return any(
            min(x, next_x) < self.x + self.half_width
            and max(x, next_x) > self.x - self.half_width
            and min(y, next_y) < self.y + self.half_height
            and max(y, next_y) > self.y - self.half_height
            for (x, y), (next_x, next_y) in itertools.pairwise(path)
        )


@dataclass(frozen=True)
class Arrow:
    """A way from one node to another, as the corners of a line."""

    start: Node
    end: Node
    path: tuple[tuple[float, float], ...]

    def check(self, nodes: Sequence[Node]) -> None:
        """Raises `ValueError` where it crosses a node."""
        for node in nodes:
            if node.is_crossed(self.path):
                raise ValueError(
                    f"the arrow from {self.start.text!r} to {self.end.text!r} crosses "
                    f"{node.text!r}; lead it through a free column, arrow(..., around=COLUMN), or "
                    "move the box."
                )


@dataclass
class Diagram:
    """A drawing of what flows through a block.

    Places are given as column and row, from 0, in steps of a box; halves stand between. Data flows
    downwards. A box of kind `learned` has parameters, one of kind `slot` holds another block. An
    arrow that crosses a box or a label is an error when the diagram is drawn.
    """

    parts: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    bends: list[tuple[float, float]] = field(default_factory=list)

    def box(
        self, text: str, column: float, row: float, kind: str = "plain", wide: float = 1.0
    ) -> Node:
        """A box; `wide` is its width in columns. The text may have two lines."""
        width = WIDTH + (wide - 1.0) * COLUMN
        node = self._node(text, column, row, width / 2, HEIGHT / 2)
        self.parts.append(
            f'<rect class="{kind}" x="{node.x - width / 2:g}" y="{node.y - HEIGHT / 2:g}" '
            f'width="{width:g}" height="{HEIGHT}" rx="6"/>'
        )
        self._text(text, node)
        return node

    def label(self, text: str, column: float, row: float) -> Node:
        """Words without a box: what comes in and goes out."""
        node = self._node(text, column, row, 4.2 * max(map(len, text.split("\n"))), 12)
        self._text(text, node, "label")
        return node

    def add(self, column: float, row: float) -> Node:
        """A circle in which what comes in is added."""
        return self._circle("+", column, row, "M-6,0H6M0,-6V6")

    def multiply(self, column: float, row: float) -> Node:
        """A circle in which what comes in is multiplied."""
        return self._circle(
            "\N{MULTIPLICATION SIGN}", column, row, "M-4.5,-4.5L4.5,4.5M-4.5,4.5L4.5,-4.5"
        )

    def arrow(self, start: Node, end: Node, text: str = "", around: float | None = None) -> None:
        """From the bottom of one to the top of the other, or through the column `around`.

        Within a row it goes from side to side.
        """
        if around is not None:
            path, middle = self._around(start, end, around * COLUMN)
        elif start.y == end.y:
            side = 1 if end.x > start.x else -1
            path = [
                (start.x + side * start.half_width, start.y),
                (end.x - side * (end.half_width + 2), end.y),
            ]
            middle = ((start.x + end.x) / 2, start.y - 8)
        else:
            top, bottom = start.y + start.half_height, end.y - end.half_height - 2
            turn = (top + bottom) / 2
            # Over a wide box an arrow comes straight down.
            inside = abs(start.x - end.x) <= end.half_width - 8
            over = abs(start.x - end.x) <= start.half_width - 8
            if inside or over:
                x = start.x if inside else end.x
                path, middle = [(x, top), (x, bottom)], (x, turn)
            else:
                path = [(start.x, top), (start.x, turn), (end.x, turn), (end.x, bottom)]
                middle = ((start.x + end.x) / 2, turn - 4)
        self.arrows.append(Arrow(start, end, tuple(path)))
        drawn = "M" + "L".join(f"{x:g},{y:g}" for x, y in path)
        self.parts.append(f'<path class="arrow" d="{drawn}"/>')
        if text:
            x, y = middle
            self.parts.append(
                f'<text class="note" x="{x + 8:g}" y="{y + 4:g}">{_safe(text)}</text>'
            )
            self.bends.append((x + 8 + 6.5 * len(text), y))

    def _around(
        self, start: Node, end: Node, x: float
    ) -> tuple[list[tuple[float, float]], tuple[float, float]]:
        bottom = start.y + start.half_height
        leave = bottom + 8
        side = 1 if x > end.x else -1
        stop = end.x + side * (end.half_width + 2)
        self.bends.append((x, end.y))
        path = [(start.x, bottom), (start.x, leave), (x, leave), (x, end.y), (stop, end.y)]
        return path, (x, (leave + end.y) / 2)

    def _circle(self, text: str, column: float, row: float, sign: str) -> Node:
        node = self._node(text, column, row, CIRCLE, CIRCLE)
        self.parts.append(
            f'<circle class="plain" cx="{node.x:g}" cy="{node.y:g}" r="{CIRCLE}"/>'
            f'<path class="sign" d="{sign}" transform="translate({node.x:g} {node.y:g})"/>'
        )
        return node

    def _node(
        self, text: str, column: float, row: float, half_width: float, half_height: float
    ) -> Node:
        node = Node(text, column * COLUMN, row * ROW, half_width, half_height)
        self.nodes.append(node)
        return node

    def _text(self, text: str, node: Node, kind: str = "name") -> None:
        lines = text.split("\n")
        for number, line in enumerate(lines):
            y = node.y + 4.5 + 14 * (number - (len(lines) - 1) / 2)
            self.parts.append(f'<text class="{kind}" x="{node.x:g}" y="{y:g}">{_safe(line)}</text>')

    def _repr_svg_(self) -> str:
        for arrow in self.arrows:
            arrow.check(self.nodes)
        left = min([n.x - n.half_width for n in self.nodes] + [x for x, _ in self.bends]) - 8
        right = max([n.x + n.half_width for n in self.nodes] + [x for x, _ in self.bends]) + 8
        top = min(n.y - n.half_height for n in self.nodes) - 6
        bottom = max(n.y + n.half_height for n in self.nodes) + 6
        width, height = right - left, bottom - top
        head = (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="tip" d="M0,0L8,4L0,8Z"/></marker></defs>'
        )
        body = "".join(self.parts).replace('class="arrow"', 'class="arrow" marker-end="url(#tip)"')
        return (
            f'<svg class="diagram" xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="{left:g} {top:g} {width:g} {height:g}" '
            f'style="max-width:{width / 16:.4g}rem">{head}{body}</svg>'
        )


def _safe(text: str) -> str:
    return html.escape(text, quote=False)
