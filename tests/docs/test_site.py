"""The built site: its links lead somewhere, and it asks nothing of the rest of the world."""

import collections
import html.parser
import importlib
import os
import re
import urllib.parse
from pathlib import Path

import pytest
from built_site import ROOT, built_site
from public_names import ADDRESSES

pytest.importorskip("mkdocs", reason="needs the extra `docs`")
pytestmark = pytest.mark.slow

# Elements that a browser loads by itself, and the attribute that says from where.
LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Reader(html.parser.HTMLParser):
    """Collects what a page names, loads and links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.wordless: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag in LOADED and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given.get(LOADED[tag], ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img" and not given.get("alt"):
            self.wordless.append(given.get("src", ""))
        if tag == "svg" and given.get("role") == "img" and not given.get("aria-label"):
            self.wordless.append("svg")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return built_site(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Reader]:
    return {
        page: Reader(page.read_text(encoding="utf-8"))
        for page in site.rglob("*.html")
        if page.name != "404.html"
    }


def test_every_link_and_anchor_leads_somewhere(pages, site):
    files = {str(path) for path in site.rglob("*") if path.is_file()}
    anchors = {str(page): {*read.ids} for page, read in pages.items()}
    broken = []
    for page, read in pages.items():
        for link in {*read.links, *read.loads}:
            address = urllib.parse.urlsplit(link)
            if address.scheme or not link:
                continue
            place = os.path.join(page.parent, urllib.parse.unquote(address.path))
            target = os.path.normpath(place) if address.path else str(page)
            anchor = urllib.parse.unquote(address.fragment)
            if target not in files:
                broken.append(f"{page.name}: {link}")
            elif anchor and anchor not in anchors.get(target, {anchor}):
                broken.append(f"{page.name}: {link} has no such anchor")
    assert broken == []


def test_no_page_loads_anything_from_elsewhere(pages, site):
    loads = {
        load for read in pages.values() for load in read.loads if "://" in load or "//" in load
    }
    assert loads == set()
    for style in site.rglob("*.css"):
        for address in re.findall(r"url\(([^)]+)\)|@import", style.read_text(encoding="utf-8")):
            assert not address.strip("\"'").startswith(("http", "//")), style


def test_names_within_a_page_are_used_once(pages):
    for page, read in pages.items():
        counts = collections.Counter(read.ids)
        assert sorted(name for name in counts if counts[name] > 1) == [], page


def test_every_picture_says_in_words_what_it_shows(pages):
    assert {page.name: read.wordless for page, read in pages.items() if read.wordless} == {}


def test_every_public_name_has_an_entry(pages):
    from _build.macros import public_modules

    anchors = {name for read in pages.values() for name in read.ids}
    wanted = set(ADDRESSES.values())
    for module, names in public_modules("recipes"):
        documented = [n for n in names if getattr(importlib.import_module(module), n).__doc__]
        wanted |= {f"{module}.{name}" for name in documented}
    assert sorted(wanted - anchors) == []


def test_every_family_has_a_page_to_which_that_of_published_models_leads(pages, site):
    folder = site / "recipes"
    links = set(pages[folder / "architectures.html"].links)
    files = (ROOT / "src/recipes/architectures").glob("*.py")
    families = [f for f in files if "\nregister(" in f.read_text(encoding="utf-8")]
    assert len(families) > 60
    for file in families:
        assert folder / f"architectures/{file.stem}.html" in pages
        assert f"architectures/{file.stem}.html" in links


def test_fields_are_written_as_a_reader_writes_them(site):
    page = (site / "blocks/attention/multi_head_attention.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    signature = text[text.index("MultiHeadAttention(\n") :].partition("\n)")[0]
    assert "num_kv_heads: int | None = None" in signature
    assert "jaxtyping" not in text
    assert "parent" not in signature


def test_calls_are_written_as_a_reader_writes_them(site):
    page = (site / "blocks/attention/attention_head.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert 'x: Float[Array, "batch seq embed"]' in text.replace("&quot;", '"').replace("&#39;", '"')
    shown = re.sub(r"<details class=\"source.*?</details>", "", page, flags=re.S)
    assert "&gt;&gt;&gt;" not in shown


def test_a_figure_is_the_same_for_the_same_drawing():
    from _build import drawing
    from figures import Diagram

    def drawn() -> str:
        import matplotlib.pyplot as plt

        drawing.style()
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1], marker="o")
        return drawing.svg(figure)

    assert drawn() == drawn()
    assert not re.search(r"#0[0-9]0[0-9]0[0-9]|<metadata|date", drawn())
    diagram = Diagram()
    diagram.arrow(diagram.label("x < y", 0, 0), diagram.box("a", 0, 1))
    assert "x &lt; y" in drawing.placed(drawing.svg(diagram), 1, 'says "so"')
