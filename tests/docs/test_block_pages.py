"""Every public block has a page of its own, with all that a reader looks for there."""

import re
from pathlib import Path

import flax.linen as nn
import pytest

import blocks
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
PUBLIC = {name: getattr(blocks, name) for name in blocks.__all__}
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
    "ValueTransform",
}
PAGES = {
    re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)[1]: page
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
    assert name in PAGES, f"write a page for {name}"
    room = PUBLIC[name].__module__.split(".")[:-1]
    assert PAGES[name].relative_to(ROOT / "docs") == Path(*room, f"{snake_case(name)}.md")


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
    assert f"::: blocks.{title}\n" in text
    assert re.search(r"^```python hide figure=\".{20,}\"$", text, re.MULTILINE)


def test_every_public_name_has_one_place_in_the_docs() -> None:
    found = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        found += re.findall(r"^::: blocks\.(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(blocks.__all__) - set(found)) == []
    assert sorted(name for name in set(found) if found.count(name) > 1) == []
