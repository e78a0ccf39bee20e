"""References from pages to objects, as `[text][blocks.RMSNorm]`, lead to an entry of some page.

`mkdocs build --strict` finds a wrong one too, and takes minutes.
"""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from _build import rooms
from _build.macros import public_modules
from _build.pages import ROOT

PAGES = {page: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md"))}
REFERENCE = re.compile(r"\]\[((?:blocks|recipes)[\w.]*)\]|\[`?((?:blocks|recipes)[\w.]*)`?\]\[\]")
ENTRIES = re.compile(r'^\{\{ entries\("([\w/]+)"\) \}\}$', re.MULTILINE)
MODULES = re.compile(r'^\{\{ api\("([\w.]+)".*\) \}\}$', re.MULTILINE)
DIRECTIVE = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


def directives(text: str) -> list[str]:
    """The addresses that a page has a directive for, after its macros have run."""
    found = DIRECTIVE.findall(text)
    for room in ENTRIES.findall(text):
        found += [address for address, _ in rooms.public(room).values()]
    for package in MODULES.findall(text):
        found += [name for name, _ in public_modules(package)]
    return found


def thing_at(address: str) -> Any:
    """What stands at an address, of which the first part is a package."""
    thing: Any = importlib.import_module(address.partition(".")[0])
    for name in address.split(".")[1:]:
        if isinstance(thing, ModuleType) and not hasattr(thing, name):
            importlib.import_module(f"{thing.__name__}.{name}")
        thing = getattr(thing, name)
    return thing


def anchors(address: str) -> set[str]:
    """What a directive's entry can be referred to by: itself and what is described within it."""
    thing = thing_at(address)
    home = address
    if inspect.isclass(thing) or inspect.isfunction(thing):
        home = f"{thing.__module__}.{thing.__qualname__}"
    found = {address, home}
    if inspect.ismodule(thing) or inspect.isclass(thing):
        for name, value in vars(thing).items():
            elsewhere = inspect.ismodule(thing) and getattr(value, "__module__", None) != address
            if name.startswith("_") or elsewhere or not getattr(value, "__doc__", None):
                continue
            inner = anchors(f"{address}.{name}") if inspect.isclass(value) else set()
            found |= {f"{address}.{name}", f"{home}.{name}", *inner}
    return found


@pytest.fixture(scope="module")
def entries() -> set[str]:
    listed = {address for text in PAGES.values() for address in directives(text)}
    return {anchor for address in listed for anchor in anchors(address)}


def unresolved(text: str, entries: set[str]) -> list[str]:
    named = [first or second for first, second in REFERENCE.findall(rooms.resolved(text))]
    return [name for name in named if name not in entries]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if REFERENCE.search(PAGES[page])], ids=lambda page: page.stem
)
def test_every_reference_leads_to_an_entry(page: Path, entries: set[str]) -> None:
    assert unresolved(PAGES[page], entries) == []


@pytest.mark.parametrize(
    "reference",
    ["[the block][blocks.RMSNorms]", "[a step][recipes.trainer.train_step]", "[`blocks.norm`][]"],
)
def test_a_reference_to_what_has_no_entry_is_found(reference: str, entries: set[str]) -> None:
    assert len(unresolved(f"see {reference}.", entries)) == 1


def test_a_reference_may_name_what_an_entry_of_a_module_describes(entries: set[str]) -> None:
    assert unresolved("[one step][recipes.trainer.step.train_step]", entries) == []
