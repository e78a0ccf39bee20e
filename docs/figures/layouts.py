"""Diagrams of residual layouts: what stands on the way through a sublayer, and beside it."""

from __future__ import annotations

from collections.abc import Sequence

from figures.diagram import Diagram, Node

TIMES = "\N{MULTIPLICATION SIGN}"
BESIDE = -0.9  # the column in which the sum goes past a sublayer


def layout(
    before: Sequence[str] = (),
    behind: Sequence[str] = (),
    after: Sequence[str] = (),
    weight: str = "",
    sublayers: Sequence[str] = ("attention", "mlp"),
) -> Diagram:
    """Draws sublayers one after the other, each added to the sum.

    `norm` is a slot, what starts with a multiplication sign a learned factor, the rest is plain.

    Args:
        before: what the sum passes on its way into a sublayer.
        behind: what the result passes before it is added.
        after: what the new sum passes.
        weight: what the old sum is multiplied by.
        sublayers: their names.
    """
    d = Diagram()
    place = d.label("x", 0, 0)
    row = 0

    def step(text: str) -> Node:
        nonlocal place, row
        row += 1
        if text.startswith(TIMES):
            node = d.multiply(0, row)
            d.arrow(d.box(text[1:].strip(), 1.1, row, kind="learned"), node)
        elif text == "+":
            node = d.add(0, row)
        else:
            slot = text == "norm" or text in sublayers
            wide = 1.2 if len(text) > 13 else 1.0
            node = d.box(text, 0, row, kind="slot" if slot else "plain", wide=wide)
        d.arrow(place, node)
        place = node
        return node

    for name in sublayers:
        start = place
        for text in before:
            step(text)
        sublayer = step(name)
        if name == "cross_attention":
            d.arrow(d.label("memory", 1.2, row), sublayer)
        for text in [*behind, "+"]:
            step(text)
        d.arrow(start, place, weight, around=BESIDE)
        for text in after:
            step(text)
    d.arrow(place, d.label("y", 0, row + 1))
    return d


def parallel(norms: int) -> Diagram:
    """Draws sublayers side by side on one sum, with one norm for all or one for each."""
    d = Diagram()
    x, total = d.label("x", 0.5, 0), d.add(0.5, 3)
    shared = d.box("norm", 0.5, 1, kind="slot") if norms == 1 else None
    if shared is not None:
        d.arrow(x, shared)
    for column, name in enumerate(["attention", "mlp"]):
        norm = shared
        if norm is None:
            norm = d.box("norm", column * 1.1 - 0.05, 1, kind="slot")
            d.arrow(x, norm)
        sublayer = d.box(name, column * 1.1 - 0.05, 2, kind="slot")
        d.arrow(norm, sublayer)
        d.arrow(sublayer, total)
    d.arrow(x, total, around=BESIDE)
    d.arrow(total, d.label("y", 0.5, 4))
    return d


def adaptive() -> Diagram:
    """Draws one sublayer of `AdaptiveNormZero`, steered by a condition."""
    d = layout(["norm", "scale", "shift"], ["gate"], sublayers=["sublayer"])
    boxes = list(d.nodes)
    alpha, beta, gamma = "\u03b1", "\u03b2", "\u03b3"
    steer = d.box("silu, then W, b", 1.9, 1, kind="learned", wide=1.3)
    d.arrow(d.label("condition c", 1.9, 0), steer)
    for row, text in [(2, f"1 + {alpha}"), (3, f" {beta} "), (5, f" {gamma} ")]:
        label = d.label(text, 1.1, row)
        d.arrow(steer, label, around=1.9)
        d.arrow(label, boxes[row])
    return d


def hyper() -> Diagram:
    """Draws one sublayer of `HyperConnections`: how it reads, carries on and writes streams."""
    d = Diagram()
    streams = d.label("streams H", 1.3, 0)
    norm = d.box("norm", 1.3, 1, kind="slot")
    weights = d.box("weights", 1.3, 2, kind="learned")
    mix = d.box("mix streams by Aᵣ", 0, 3, wide=1.3)
    read = d.box("read one mix by Aₘ", 2.6, 3, wide=1.3)
    total = d.add(0, 7)
    write = d.box("write to all by B", 2.6, 6, wide=1.3)
    d.arrow(streams, norm)
    d.arrow(norm, weights)
    d.arrow(streams, mix, around=-0.9)
    d.arrow(streams, read, around=3.5)
    d.arrow(weights, mix)
    d.arrow(weights, read)
    d.arrow(weights, write, around=1.3)
    place = read
    for row, name in [(4, "norm"), (5, "sublayer")]:
        box = d.box(name, 2.6, row, kind="slot")
        d.arrow(place, box)
        place = box
    d.arrow(place, write)
    d.arrow(write, total)
    d.arrow(mix, total)
    d.arrow(total, d.label("streams H", 0, 8))
    return d


def dual() -> Diagram:
    """Draws one sublayer of `ResiDual`: it reads the normalised stream and is added to both."""
    d = Diagram()
    sublayer = d.box("sublayer", 1, 1, kind="slot")
    x, plain = d.label("x, normalised", 0, 0), d.label("d, plain sum", 2, 0)
    sums = d.add(0, 2), d.add(2, 2)
    norm = d.box("norm", 0, 3, kind="slot")
    d.arrow(x, sublayer)
    for start, total in zip([x, plain], sums, strict=True):
        d.arrow(start, total)
        d.arrow(sublayer, total)
    d.arrow(sums[0], norm)
    d.arrow(norm, d.label("x", 0, 4))
    d.arrow(sums[1], d.label("d", 2, 4))
    return d
