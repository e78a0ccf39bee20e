"""The anatomy of a transformer: a box for each slot, which leads to what can stand there.

Four panels, each a block: a language model, its layer, and the attention and the MLP in that. Their
boxes are the slots that the blocks declare; a slot that has no place here is an error.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from _build.slots import Slot, slots_of

# Where the parts of a slot are described, below `docs/blocks`.
PAGES = {
    "CausalLM": "models/causal_lm.html",
    "models": "models.html",
    "embed": "embeddings.html",
    "TokenEmbedding.position": "positions.html",
    "added": "embeddings.html",
    "embedding_norm": "norms.html",
    "stack": "layers.html",
    "block": "layers.html",
    "norm": "norms.html",
    "head": "heads.html",
    "TransformerBlock": "layers/transformer_block.html",
    "residual": "residual.html",
    "attention": "attention.html",
    "cross_attention": "attention.html#which-when",
    "mlp": "mlp.html",
    "MultiHeadAttention": "attention/multi_head_attention.html",
    "qk": "attention.html#in-the-slots",
    "values": "attention.html#in-the-slots",
    "position": "positions.html",
    "cache": "attention/caches.html",
    "implementation": "attention/kernels.html",
    "scores": "attention.html#in-the-slots",
    "mask": "attention/masks.html",
    "sinks": "attention.html#sinks",
    "gate": "attention.html#in-the-slots",
    "recurrent": "recurrent.html",
    "MLP": "mlp/mlp.html",
    "activation": "mlp.html#activations",
    "MixtureOfExperts": "moe/mixture_of_experts.html",
    "router": "moe.html#routers",
    "expert": "moe.html#experts",
    "shared": "moe.html#experts",
}
# A box of the colour of a panel is what the panel shows the inside of.
COLOURS = {"block": "blue", "attention": "orange", "mlp": "green"}
WIDTH, GAP, MARGIN, LEFT, RIGHT = 230, 14, 12, 12, 218
LETTER, LOW, HEAD, STEP, TIP = 7.4, 28, 40, 14, 6


def anatomy(folder: str = "") -> str:
    """The whole picture as HTML; `folder` is the way to the pages of blocks."""
    import blocks

    model = _model(Panel(folder, blocks.CausalLM, blocks.TokenEmbedding, blocks.Stack))
    layer = _layer(Panel(folder, blocks.TransformerBlock, colour="blue"))
    attention = _attention(Panel(folder, blocks.MultiHeadAttention, colour="orange"))
    mlp = _mlp(Panel(folder, blocks.MLP, blocks.MixtureOfExperts, colour="green"))
    # The third column holds two; the others are as long.
    whole = max(model.y, layer.y, attention.y + mlp.y + GAP)
    mlp.y = whole - attention.y - GAP
    model.y = layer.y = whole
    last = f"<div>{attention.svg()}{mlp.svg()}</div>"
    return (
        '<figure class="anatomy" data-search-exclude>'
        f'<div class="panels">{model.svg()}{layer.svg()}{last}</div>'
        "<figcaption>Each box is a slot, a field that holds a block, and leads to what can stand "
        "there. A dashed one is empty unless you fill it; a coloured one is opened in the panel of "
        "its colour.</figcaption></figure>"
    )


class Panel:
    """The inside of one block, drawn from top to bottom.

    Attributes:
        y: where the next thing is drawn, and at last the height.
    """

    def __init__(self, folder: str, *owners: type, colour: str = "plain") -> None:
        self.folder, self.colour, self.owners = folder, colour, owners
        self.slots = {owner.__name__: slots_of(owner) for owner in owners}
        self.placed: set[tuple[str, str]] = set()
        self.parts: list[str] = []
        self.y = float(HEAD)

    def box(self, owner: str, name: str, x: float, width: float, height: float = LOW) -> None:
        """A slot, at the height where we are."""
        slot = self.slots[owner][name]
        self.placed.add((owner, name))
        kind = f"{COLOURS.get(name, 'plain')}{' empty' if slot.empty else ''}"
        self.parts.append(self._link(slot, kind, x, width, height))

    def row(
        self, owner: str, names: Sequence[str], left: float = LEFT, right: float = RIGHT
    ) -> None:
        """Slots side by side, as wide as their names ask for."""
        room = right - left - 6 * (len(names) - 1)
        letters = sum(len(name) + 3 for name in names)
        for name in names:
            width = room * (len(name) + 3) / letters
            self.box(owner, name, left, width)
            left += width + 6
        self.y += LOW

    def within(
        self, owner: str, name: str, rows: Sequence[tuple[str, ...]], inner: str, note: str = ""
    ) -> None:
        """A slot with the slots of the block that usually stands there, and a note beside them."""
        top, height = self.y, LOW + len(rows) * (LOW + 8) + 8
        self.parts.append(_rect("inside", LEFT, top, RIGHT - LEFT, height))
        self.row(owner, [name])
        for names in rows:
            self.y += 8
            right = RIGHT - 10 - (LETTER * len(note) + 2 if note else 0)
            self.row(inner, names, LEFT + 10, right)
            if note:
                self.parts.append(_text(note, RIGHT - 10, self.y - 10, "label last"))
        self.y = top + height

    def arrow(self, length: float = STEP, x: float = WIDTH / 2) -> None:
        """Downwards from where we are."""
        self.parts.append(_arrow(x, self.y + 1, x, self.y + length - 2))
        self.y += length

    def label(self, text: str, x: float = WIDTH / 2) -> None:
        """Words of what flows, at the height where we are."""
        self.parts.append(_text(text, x, self.y + 10, "label"))

    def other(self, text: str, page: str) -> None:
        """What can stand in the panel's place, with a link."""
        self.y += 20
        self.parts.append(_text("or", LEFT + 2, self.y, "label first"))
        self.parts.append(self._title(text, page, LEFT + 24, self.y))
        self.y += 12

    def svg(self) -> str:
        """The panel.

        Raises:
            ValueError: a slot without a box.
        """
        for owner, slots in self.slots.items():
            for name in slots:
                if (owner, name) not in self.placed:
                    raise ValueError(
                        f"{owner} has a slot {name} without a box; give it a place and a page in "
                        "docs/figures/anatomy.py."
                    )
        name = self.owners[0].__name__
        frame = _rect("panel", 0.75, 0.75, WIDTH - 1.5, self.y - 1.5)
        title = self._title(name, PAGES[name], LEFT, 22)
        return (
            f'<svg class="{self.colour}" xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="The slots of {name}" viewBox="0 0 {WIDTH} {self.y:g}">'
            f"{frame}{title}{''.join(self.parts)}</svg>"
        )

    def _title(self, text: str, page: str, x: float, y: float) -> str:
        width = len(text) * LETTER + 10
        frame = f'<rect x="{x - 4:g}" y="{y - 14:g}" width="{width:g}" height="20" rx="4"/>'
        link = f'<a class="title" href="{self.folder}{page}">'
        return f"{link}{frame}{_text(text, x, y, 'title')}</a>"

    def _link(self, slot: Slot, kind: str, x: float, width: float, height: float) -> str:
        owner, name = slot.owner.__name__, slot.name
        page = PAGES.get(f"{owner}.{name}") or PAGES[name]
        said = html.escape(f"{name}: {slot.said}")
        turned = height > width
        middle = (x + width / 2, self.y + height / 2 + (0 if turned else 4))
        text = _text(name, *middle, "name turned" if turned else "name")
        return (
            f'<a class="{kind}" href="{self.folder}{page}" aria-label="{said}">'
            f"<title>{said}</title>{_rect('slot', x, self.y, width, height)}{text}</a>"
        )


def _model(p: Panel) -> Panel:
    p.label("tokens")
    p.y += 14
    p.arrow(30)
    p.within("CausalLM", "embed", [("position", "added"), ("embedding_norm",)], "TokenEmbedding")
    p.arrow(30)
    p.within("CausalLM", "stack", [("block",)], "Stack", "\N{MULTIPLICATION SIGN} depth")
    for name in ("norm", "head"):
        p.arrow(30)
        p.row("CausalLM", [name])
    p.arrow(30)
    p.label("logits")
    p.y += 16
    p.other("another model", PAGES["models"])
    return p


def _layer(p: Panel) -> Panel:
    """Sublayers beside the residual stream, which each reads through a norm and adds to."""
    left, edge, bar = 72, LEFT + LOW, LEFT + LOW / 2
    middle = (left + RIGHT) / 2
    p.label("x", bar)
    p.y += 14
    p.arrow(20, bar)
    top = p.y
    for name in ("attention", "cross_attention", "mlp"):
        p.y += 10
        p.parts.append(_arrow(edge, p.y + LOW / 2, left - 2, p.y + LOW / 2))
        p.row("TransformerBlock", ["norm"], left)
        p.arrow(22, middle)
        p.row("TransformerBlock", [name], left)
        back = p.y + 20
        p.parts.append(
            f'<path class="arrow" d="M{middle:g},{p.y + 1:g}V{back:g}H{edge + 2 + TIP:g}"/>'
            + _tip(edge + 2, back, "left")
            + _text("+", left - 16, back - 5, "label")
        )
        p.y = back + 16
    end, p.y = p.y - 6, top
    p.box("TransformerBlock", "residual", LEFT, LOW, end - top)
    p.y = end
    p.arrow(20, bar)
    p.label("y", bar)
    p.y += 14 + MARGIN
    return p


def _attention(p: Panel) -> Panel:
    first, second = (LEFT, 118.0), (128.0, RIGHT)
    middles = [sum(side) / 2 for side in (first, second)]
    for text, x in zip(("queries, keys", "values"), middles, strict=True):
        p.label(text, x)
    p.y += 14
    top = p.y
    for name in ("qk", "position"):
        p.arrow(x=middles[0])
        p.row("MultiHeadAttention", [name], *first)
    p.arrow(x=middles[0])
    end, p.y = p.y, top
    p.arrow(x=middles[1])
    p.row("MultiHeadAttention", ["values"], *second)
    p.arrow(end - p.y, middles[1])
    p.row("MultiHeadAttention", ["cache"])
    p.arrow()
    inside = [("scores", "mask", "sinks")]
    p.within("MultiHeadAttention", "implementation", inside, "MultiHeadAttention")
    p.arrow()
    p.row("MultiHeadAttention", ["gate"])
    p.other("a recurrent mixer", PAGES["recurrent"])
    return p


def _mlp(p: Panel) -> Panel:
    p.row("MLP", ["activation"])
    p.other("MixtureOfExperts", PAGES["MixtureOfExperts"])
    p.row("MixtureOfExperts", ["router", "expert", "shared"])
    p.y += MARGIN
    return p


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'
    )


def _text(text: str, x: float, y: float, kind: str) -> str:
    turn = f' transform="rotate(-90 {x:g} {y:g})"' if "turned" in kind else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{turn}>{html.escape(text)}</text>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    down = to_x == x
    line = f"V{to_y - TIP:g}" if down else f"H{to_x - TIP:g}"
    tip = _tip(to_x, to_y, "down" if down else "right")
    return f'<path class="arrow" d="M{x:g},{y:g}{line}"/>{tip}'


def _tip(x: float, y: float, way: str) -> str:
    back, half = TIP, TIP / 2
    corners = {
        "down": f"l{-half:g},{-back:g}h{2 * half:g}",
        "right": f"l{-back:g},{-half:g}v{2 * half:g}",
        "left": f"l{back:g},{-half:g}v{2 * half:g}",
    }
    return f'<path class="tip" d="M{x:g},{y:g}{corners[way]}Z"/>'
