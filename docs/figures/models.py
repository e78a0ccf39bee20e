"""Diagrams of models, and of what pools a sequence."""

from __future__ import annotations

from collections.abc import Sequence

from figures.diagram import Diagram, Node
from figures.layouts import TIMES


def chain(d: Diagram, start: Node, column: float, boxes: Sequence[str], row: int = 1) -> list[Node]:
    """Draws slots one below the other, and returns them behind the start."""
    nodes = [start]
    for text in boxes:
        wide = 1.2 if len(text) > 12 else 1.0
        nodes.append(d.box(text, column, row, kind="slot", wide=wide))
        d.arrow(nodes[-2], nodes[-1])
        row += 1
    return nodes


def causal_lm() -> Diagram:
    """Draws a `CausalLM`, with the table that a tied head takes."""
    d = Diagram()
    parts = ["embed", "stack", "norm", "head"]
    nodes = chain(d, d.label("tokens", 0, 0), 0, parts)
    d.arrow(nodes[1], nodes[4], "table, where tied", around=0.9)
    d.arrow(nodes[-1], d.label("logits", 0, 5))
    return d


def encoder_decoder() -> Diagram:
    """Draws an `EncoderDecoder`: the decoder's layers read what the encoder leaves."""
    d = Diagram()
    source = d.label("source", 0, 0)
    encoder = chain(d, source, 0, ["encoder.embed", "encoder.stack", "encoder.norm"])
    tokens = d.label("tokens", 2, 0)
    parts = ["embed", "stack with\ncross-attention", "norm", "head"]
    decoder = chain(d, tokens, 2, parts[:1])
    decoder += chain(d, decoder[-1], 2, parts[1:], row=4)[1:]
    d.arrow(encoder[-1], decoder[2], around=0)
    d.arrow(decoder[-1], d.label("logits", 2, 7))
    return d


def two_towers() -> Diagram:
    """Draws a `TwoTowers`: two encoders whose vectors are compared."""
    d = Diagram()
    scores = d.box("cosine of each pair", 1, 2, wide=1.6)
    for column, name in ((0, "first"), (2, "second")):
        tower = d.box(name, column, 1, kind="slot")
        d.arrow(d.label(["texts", "images"][column // 2], column, 0), tower)
        d.arrow(tower, scores)
    scale = d.box("exp(scale)", 2.6, 3, kind="learned")
    times = d.box(TIMES, 1, 3)
    d.arrow(scores, times)
    d.arrow(scale, times)
    d.arrow(times, d.label("scores", 1, 4))
    return d


def multi_token() -> Diagram:
    """Draws a `MultiTokenLM` with one step beyond the model's own."""
    d = Diagram()
    tokens = d.label("tokens up to i", 0, 0)
    hidden = d.box("model without head", 0, 1, kind="slot", wide=1.5)
    following = d.box("embed of the model", 2, 1, kind="slot", wide=1.5)
    pair = d.box("norm each, join", 2, 3, wide=1.5)
    projection = d.box("projection", 2, 4, kind="learned")
    block = d.box("block", 2, 5, kind="slot")
    norm = d.box("norm", 2, 6, kind="slot")
    heads = [d.box("head", column, 7, kind="slot") for column in (0, 2)]
    d.arrow(tokens, hidden)
    d.arrow(d.label("token i + 1", 2, 0), following)
    d.arrow(following, pair)
    d.arrow(hidden, pair)
    for start, end in [(pair, projection), (projection, block), (block, norm), (norm, heads[1])]:
        d.arrow(start, end)
    d.arrow(hidden, heads[0])
    for column, name in [(0, "logits of i + 1"), (2, "logits of i + 2")]:
        d.arrow(heads[column // 2], d.label(name, column, 8))
    return d


def pooled(chosen: Sequence[int], *boxes: str, learned: str = "") -> Diagram:
    """Draws five tokens, of which the last is padding, and the ones that a pooler reads.

    Args:
        chosen: indices of the tokens that it reads.
        boxes: what it does with them.
        learned: a box with parameters beside the first of these.
    """
    d = Diagram()
    tokens = [d.label(text, i * 0.8, 0) for i, text in enumerate(["x₀", "x₁", "x₂", "x₃", "pad"])]
    place: Node | None = None
    for row, text in enumerate(boxes, start=1):
        box = d.box(text, 1.6, row, wide=4.0 if row == 1 else 2.0)
        if place is not None:
            d.arrow(place, box)
        elif learned:
            d.arrow(d.box(learned, 4.3, row, kind="learned"), box)
        place = box
        if row == 1:
            for index in chosen:
                d.arrow(tokens[index], box)
    assert place is not None
    d.arrow(place, d.label("y", 1.6, len(boxes) + 1))
    return d


def stacked(layers: Sequence[str], skips: Sequence[tuple[int, int]] = ()) -> Diagram:
    """Draws layers one after the other; a skip goes from behind one layer to before another."""
    d = Diagram()
    place, row = d.label("x", 0, 0), 0
    results: list[Node] = []
    starts = {end: start for start, end in skips}
    for index, name in enumerate(layers):
        if index in starts:
            row += 1
            total = d.add(0, row)
            d.arrow(place, total)
            column = 0.3 + 0.6 * (index - starts[index])
            d.arrow(results[starts[index]], total, f"{TIMES} w", around=column)
            place = total
        row += 1
        box = d.box(name, 0, row, kind="slot")
        d.arrow(place, box)
        place = box
        results.append(box)
    d.arrow(place, d.label("y", 0, row + 1))
    return d
