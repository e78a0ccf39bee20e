"""The navigation: an entry that ends in a slash stands for the pages of that folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def expand(nav: list[Any] | None, docs: Path) -> list[Any] | None:
    """The navigation with each folder replaced by its pages, in the order of their names.

    A page beside the folder, as `norms.md` beside `norms/`, comes first, as its overview.
    """
    if nav is None:
        return None
    return [entry for entry in (_entry(entry, docs) for entry in nav) if entry not in ({}, [])]


def _entry(entry: Any, docs: Path) -> Any:
    if isinstance(entry, str):
        return entry
    values = {title: _value(value, docs) for title, value in entry.items()}
    return {title: value for title, value in values.items() if value}


def _value(value: Any, docs: Path) -> Any:
    if isinstance(value, list):
        return [_entry(entry, docs) for entry in value]
    if not value.endswith("/"):
        return value
    folder = docs / value
    overview = folder.with_suffix(".md")
    pages = sorted(page.relative_to(docs).as_posix() for page in folder.glob("*.md"))
    first = [page for page in pages if page.endswith("/index.md")]
    rest = [page for page in pages if page not in first]
    if overview.exists():
        if not rest:
            return overview.relative_to(docs).as_posix()
        first.insert(0, {"Overview": overview.relative_to(docs).as_posix()})
    return [*first, *rest]
