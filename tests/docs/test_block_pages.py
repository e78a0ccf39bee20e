"""Every public block has a page of its own, with all that a reader looks for there."""

import re
from pathlib import Path

import flax.linen as nn
import pytest

from _build import rooms
from _build.pages import ROOT

HEADINGS = [
    "Diagram",
    "Formula",
    "Snippet",
    "Shapes",
    "Parameters and cost",
    "Variants and swaps",
    "Pitfalls",
    "In nanoGPT and transformers",
    "API",
    "Tests",
    "Source",
]
PUBLIC = {name: thing for name, (_, thing) in rooms.every_name().items()}
BLOCKS = [
    name
    for name, value in PUBLIC.items()
    if isinstance(value, type) and issubclass(value, nn.Module)
]
# Bases, which cannot be called themselves, stand on the overview of their area.
BASES = {
    "Block",
    "FeatureMap",
    "HeadTransform",
    "Pooler",
    "QKTransform",
    "Residual",
    "Router",
    "ScoreModification",
    "Sinks",
    "ValueTransform",
}
PAGES = {
    re.findall(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)[0]: page
    for page in sorted((ROOT / "docs" / "blocks").rglob("*.md"))
    if "{{ source(" in page.read_text(encoding="utf-8")
}


def snake_case(name: str) -> str:
    """`MultiHeadAttention` as `multi_head_attention`, `ALiBi` as `alibi`."""
    for whole in ("ALiBi", "LoRA", "RoPE", "ReZero"):
        name = name.replace(whole, whole.capitalize())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in BASES])
def test_a_public_block_has_a_page_at_its_place(name: str) -> None:
    room = PUBLIC[name].__module__.split(".")[:-1]
    place = Path("docs", *room, f"{snake_case(name)}.md")
    assert name in PAGES, f"write {place}, titled `# {name}`"
    assert PAGES[name].relative_to(ROOT) == place, f"the page of {name} belongs at {place}"


@pytest.mark.parametrize("title", PAGES)
def test_a_block_page_has_every_section_in_its_order(title: str) -> None:
    text = re.sub(r"^```.*?^```$", "", PAGES[title].read_text(encoding="utf-8"), flags=re.M | re.S)
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("title", PAGES)
def test_a_block_page_is_about_one_public_block(title: str) -> None:
    assert title in BLOCKS


@pytest.mark.parametrize("title", PAGES)
@pytest.mark.parametrize("macro", ["shapes", "cost", "tests", "source"])
def test_a_block_page_computes_what_can_be_computed(title: str, macro: str) -> None:
    text = PAGES[title].read_text(encoding="utf-8")
    assert re.search(rf"^\{{\{{ {macro}\(.+\) \}}\}}$", text, re.MULTILINE)
    assert f"::: {rooms.every_name()[title][0]}\n" in text
    assert re.search(r"^```python hide figure=\".{20,}\"$", text, re.MULTILINE)


def test_every_public_name_has_one_place_in_the_docs() -> None:
    by_hand = rooms.hand_written(ROOT)
    assert sorted(name for name in set(by_hand) if by_hand.count(name) > 1) == []
    texts = [page.read_text(encoding="utf-8") for page in (ROOT / "docs/blocks").rglob("*.md")]
    generated = [room for text in texts for room in rooms.ROOMS.findall(text)]
    for room in rooms.every_room():
        left = {address for address, _ in rooms.public(room).values()} - set(by_hand)
        assert not left or generated.count(room) == 1, (
            f'write {{{{ entries("{room}") }}}} on the overview of {room}, or an entry for {left}'
        )


def test_every_overview_has_a_row_for_every_block_of_its_room() -> None:
    for page in rooms.overviews(ROOT):
        room = rooms.room_of(page, ROOT)
        text = page.read_text(encoding="utf-8")
        missing = rooms.overview(room, page)
        assert not missing or f'{{{{ overview("{room}") }}}}' in text, (
            f'write {{{{ overview("{room}") }}}} below the table of {page.relative_to(ROOT)}'
        )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """An overview of norms with a row for one, a link to another and an entry for a third."""
    path = tmp_path / "norms.md"
    path.write_text(
        "| `RMSNorm` | by default |\n\nOr [`ScaleNorm`](a.md).\n\n::: blocks.LayerNorm\n"
    )
    return path


def test_an_overview_adds_rows_for_what_has_none_by_hand(page: Path) -> None:
    rows = rooms.overview("norms", page).splitlines()[2:]
    named = [row.split("`")[1] for row in rows]
    assert set(named) == set(rooms.public("norms")) - {"RMSNorm", "ScaleNorm"}
    assert rows[named.index("LayerNorm")].startswith("| [`LayerNorm`][blocks.LayerNorm] | ")


def test_entries_are_added_for_what_has_none_by_hand(page: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    page.rename(docs / "norms.md")
    entries = rooms.entries("norms", tmp_path).splitlines()
    assert {"::: blocks.norms.DynamicTanh", "::: blocks.RMSNorm"} <= set(entries)
    assert "::: blocks.LayerNorm" not in entries


def test_a_name_that_only_its_room_exports_has_an_address_there() -> None:
    assert rooms.public("attention/masks")["Dilated"][0] == "blocks.attention.masks.Dilated"
    link = "[`Dilated`][blocks.attention.masks.Dilated], [`Causal`][blocks.Causal]"
    room = "[`Dilated`][blocks.attention.masks.Dilated], [`Causal`][blocks.Causal]"
    assert rooms.resolved(link) == room
