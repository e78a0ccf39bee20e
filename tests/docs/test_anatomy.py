"""The anatomy of a transformer has a box for each slot, which leads to what can stand there."""

import html
import re

import pytest

from _build.pages import ROOT
from _build.slots import slots_of
from blocks import MLP, MultiHeadAttention, TransformerBlock
from blocks.attention import HeadTransform
from blocks.attention.masks import Mask
from blocks.core.slots import Mixer
from figures.anatomy import Panel, anatomy

DRAWN = anatomy()
LINKS = {
    html.unescape(name).partition(":")[0]: address
    for address, name in re.findall(r'<a class="[\w ]+" href="([^"]+)" aria-label="([^"]+)"', DRAWN)
}
BOXES = {
    "embed", "position", "added", "embedding_norm", "stack", "block", "norm", "head",
    "attention", "mlp", "cross_attention", "residual",
    "qk", "values", "mask", "gate", "scores", "sinks", "implementation", "cache",
    "activation", "router", "expert", "shared",
}  # fmt: skip


def test_every_slot_has_a_box():
    assert set(LINKS) == BOXES


@pytest.mark.parametrize(
    ("block", "names"),
    [
        (TransformerBlock, "attention mlp cross_attention norm residual"),
        (MultiHeadAttention, "qk values mask position gate scores sinks implementation cache"),
        (MLP, "activation"),
    ],
)
def test_sizes_rates_dtypes_and_initialisers_are_no_slots(block, names):
    assert set(slots_of(block)) == set(names.split())


@pytest.mark.parametrize("kind", [Mixer, HeadTransform, Mask, tuple[Mixer, ...]])
def test_a_new_slot_without_a_box_is_refused(kind):
    fields = {"__annotations__": {"extra": kind | None}, "extra": None, "__module__": __name__}
    panel = Panel("", type("Longer", (MLP,), fields, kw_only=True))
    panel.row("Longer", ["activation"])
    with pytest.raises(ValueError, match="Longer has a slot extra without a box; give it a place"):
        panel.svg()


def test_a_slot_is_dashed_where_it_is_empty_by_default():
    dashed = re.findall(r'<a class="\w+ empty" href="[^"]+" aria-label="(\w+):', DRAWN)
    assert {"cross_attention", "qk", "mask", "gate", "shared"} <= set(dashed)
    assert not {"attention", "mlp", "norm", "residual", "cache", "stack"} & set(dashed)


def test_a_box_says_what_its_slot_holds():
    said = dict(re.findall(r'aria-label="(\w+): ([^"]+)"', DRAWN))
    assert said["mask"] == "which keys are visible to which queries"
    assert said["residual"] == "the residual layout, which places norms and additions"
    assert set(said) == BOXES
    assert not [text for text in said.values() if re.search(r"[$\\`]|\s$", text)]


@pytest.mark.parametrize("address", sorted(set(re.findall(r'href="([^"]+)"', DRAWN))))
def test_a_link_leads_to_a_page_and_a_heading_of_it(address):
    file, _, anchor = address.partition("#")
    page = ROOT / "docs/blocks" / file.replace(".html", ".md")
    headings = re.findall(r"^##+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert not anchor or anchor in [name.lower().replace(" ", "-") for name in headings]


def test_what_stands_in_a_mask_is_described_on_the_page_of_masks():
    assert LINKS["mask"] == "attention/masks.html"
    assert LINKS["cache"] == "attention/caches.html"
    assert LINKS["residual"] == "residual.html"
    assert 'href="../blocks/attention/masks.html"' in anatomy("../blocks/")


def test_names_fit_into_their_boxes():
    boxes = re.findall(
        r'<rect class="slot" [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*/>'
        r'<text class="name[^>]*>(\w+)</text>',
        DRAWN,
    )
    assert len(boxes) >= len(BOXES)
    for width, height, name in boxes:
        assert len(name) * 7.4 + 8 <= max(float(width), float(height)), name
