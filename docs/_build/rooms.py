"""Tables and entries of the rooms of `blocks`, so that a new block needs no row by hand.

A room is a package below `blocks`, or a module right below it. What a page says of a name by hand,
in a row of a table or an entry, stays; these functions add the names of which it says nothing.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

LINKED = re.compile(r"\[`\w+`\]")
ROW = re.compile(r"^\|.*$", re.MULTILINE)
LINK = re.compile(r"\]\[blocks\.(\w+)\]")
ROOMS = re.compile(r'^\{\{ entries\("([\w/]+)"\) \}\}$', re.MULTILINE)
ENTRY = re.compile(r"^::: (blocks\.[\w.]+)$", re.MULTILINE)


def macros(page: Path, root: Path) -> dict[str, Callable[..., str]]:
    """The functions that a page may call."""
    return {
        "entries": functools.partial(entries, root=root),
        "overview": functools.partial(overview, page=page),
        "rooms": functools.partial(rooms, page=page, root=root),
    }


def overview(room: str, page: Path) -> str:
    """A table of the room's classes that the page has neither a row nor a link for."""
    text = page.read_text(encoding="utf-8")
    said = "\n".join([*ROW.findall(text), *LINKED.findall(text)])
    rows = [
        f"| [`{name}`][{address}] | {sentence(thing)} |"
        for name, (address, thing) in public(room).items()
        if inspect.isclass(thing) and not re.search(rf"\b{name}\b", said)
    ]
    return "\n".join(["| name | what it is |", "| --- | --- |", *rows]) if rows else ""


def entries(room: str, root: Path) -> str:
    """The entries of the room's names that no page has one for."""
    written = hand_written(root)
    names = public(room).values()
    return "\n".join(f"::: {address}\n" for address, _ in names if address not in written)


def rooms(page: Path, root: Path) -> str:
    """The table of all rooms that have a page, in the order of the navigation."""
    rows = ["| page | what is in it | names |", "| --- | --- | --- |"]
    for path in overviews(root):
        room = room_of(path, root)
        text = path.read_text(encoding="utf-8")
        what = sentence(module_of(room)).removesuffix(".").partition(": ")
        found = {}
        for part in [room, *ROOMS.findall(text)]:
            found |= public(part)
        names = ", ".join(f"[`{name}`][{found[name][0]}]" for name in sorted(found, key=str.lower))
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        link = Path(os.path.relpath(path, page.parent)).as_posix()
        rows.append(f"| [{title and title[1]}]({link}) | {what[2] or what[0]} | {names} |")
    return "\n".join(rows)


def public(room: str) -> dict[str, tuple[str, Any]]:
    """What is public in a room: for each name the shortest address, and what it is.

    That is what the package `blocks` takes from the room, and what the room's own `__all__` names.
    """
    import blocks

    home = f"blocks.{room.replace('/', '.')}"
    found = {
        name: (f"blocks.{name}", thing)
        for name, thing in ((name, getattr(blocks, name)) for name in blocks.__all__)
        if home in (thing.__module__, thing.__module__.rpartition(".")[0])
    }
    package = importlib.import_module(home)
    for name in getattr(package, "__all__", ()):
        found.setdefault(name, (f"{home}.{name}", getattr(package, name)))
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


@functools.cache
def every_name() -> dict[str, tuple[str, Any]]:
    """All public names, those of `blocks` and of its rooms, as `public` gives them."""
    import blocks

    found = {name: (f"blocks.{name}", getattr(blocks, name)) for name in blocks.__all__}
    for room in every_room():
        for name, entry in public(room).items():
            found.setdefault(name, entry)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


@functools.cache
def every_room() -> tuple[str, ...]:
    """All rooms that have public names, and the modules right below `blocks` that do."""
    import blocks

    top = Path(blocks.__file__).parent
    packages = [path.parent.relative_to(top).as_posix() for path in top.rglob("*/__init__.py")]
    modules = [path.stem for path in top.glob("*.py") if path.stem != "__init__"]
    return tuple(sorted(room for room in [*packages, *modules] if public(room)))


def overviews(root: Path) -> list[Path]:
    """The overview pages of rooms: those of the navigation, each with the rooms in it."""
    config = (root / "mkdocs.yml").read_text(encoding="utf-8")
    listed = next(entry["Blocks"] for entry in yaml.safe_load(config)["nav"] if "Blocks" in entry)
    pages = []
    for entry in listed[1:]:
        name = next(iter(entry.values())).removesuffix("/").removesuffix(".md")
        page = root / "docs" / f"{name}.md"
        inner = sorted((root / "docs" / name).glob("*.md"))
        pages += [path for path in [page, *inner] if room_of(path, root)]
    return pages


def room_of(page: Path, root: Path) -> str:
    """The room that a page gives an overview of, or an empty string."""
    room = page.relative_to(root / "docs" / "blocks").with_suffix("").as_posix()
    return room if room in every_room() else ""


def module_of(room: str) -> Any:
    """The package or module of a room."""
    return importlib.import_module(f"blocks.{room.replace('/', '.')}")


def resolved(text: str) -> str:
    """Markdown whose links to `blocks.Name` lead to the name's room where that exports it alone."""
    known = every_name()
    return LINK.sub(lambda found: f"][{known.get(found[1], (f'blocks.{found[1]}',))[0]}]", text)


def hand_written(root: Path) -> list[str]:
    """The addresses of all entries that pages write themselves."""
    pages = sorted((root / "docs").rglob("*.md"))
    return [name for page in pages for name in ENTRY.findall(page.read_text(encoding="utf-8"))]


def sentence(thing: Any) -> str:
    """The first paragraph of a docstring, for a cell of a table."""
    text = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")
    return text.replace("|", "\\|")
