"""What a page asks for: its code fences and the expressions between double braces."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^(?P<indent>[ ]*)(?P<mark>`{3,})(?P<info>[^`]*)$")
MACRO = re.compile(r"^(?P<indent>[ ]*)\{\{(?P<expression>.+)\}\}$")
RUNNABLE = ("python", "shell")
OPTIONS = {
    "python": {"raises", "figure", "caption", "hide", "quiet", "skip"},
    "shell": {"exit", "quiet", "skip"},
}
# Fences of these are read, not run.
PLAIN = {"text", "json", "toml", "yaml", "html", "css", "markdown", "bibtex", "diff"}


class PageError(Exception):
    """A page is wrong: where, and what."""

    def __init__(self, page: str, line: int, message: str) -> None:
        super().__init__(f"{page}:{line}: {message}")


@dataclass(frozen=True)
class Item:
    """A code fence, or an expression in double braces, whose language is then `macro`.

    Attributes:
        language: the first word of the info string.
        code: what stands in it, without the page's indentation.
        options: the other words, as `raises=ValueError`; a word alone means "".
        first: index of its first line in the page.
        last: index of its last line.
        indent: of its lines.
    """

    language: str
    code: str
    first: int
    last: int
    indent: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """Number of the page's line on which its code starts."""
        return self.first + (1 if self.language == "macro" else 2)

    @property
    def runs(self) -> bool:
        """Unless it is of another language, or says why not."""
        return self.language in (*RUNNABLE, "macro") and "skip" not in self.options


def read(page: Path, root: Path) -> list[Item]:
    """The items of a page, from top to bottom; an unknown language or option is an error."""
    name = str(page.relative_to(root))
    items = items_of(page.read_text(encoding="utf-8"), name)
    for item in items:
        _check(item, name)
    return items


def items_of(text: str, name: str = "page") -> list[Item]:
    """The items of a text in Markdown."""
    lines = text.splitlines()
    items: list[Item] = []
    at = 0
    while at < len(lines):
        if found := FENCE.match(lines[at]):
            end = at + 1
            closing = found["indent"] + found["mark"]
            while end < len(lines) and lines[end].rstrip() != closing:
                end += 1
            if end == len(lines):
                raise PageError(name, at + 1, f"the fence {found['mark']} is never closed.")
            code = textwrap.dedent("\n".join(lines[at + 1 : end]))
            language, options = _info(found["info"], name, at + 1)
            items.append(Item(language, code, at, end, found["indent"], options))
            at = end
        elif found := MACRO.match(lines[at]):
            items.append(Item("macro", found["expression"].strip(), at, at, found["indent"]))
        at += 1
    return items


def _info(info: str, name: str, line: int) -> tuple[str, dict[str, str]]:
    try:
        words = shlex.split(info)
    except ValueError as error:
        raise PageError(name, line, f"the info string {info!r} does not read: {error}.") from None
    options = dict(word.partition("=")[::2] for word in words[1:])
    return (words[0] if words else ""), options


def _check(item: Item, name: str) -> None:
    line = item.first + 1
    known = OPTIONS.get(item.language)
    if known is None:
        if item.language not in {"macro", *PLAIN}:
            raise PageError(
                name,
                line,
                f"language {item.language!r} of a fence must be one of "
                f"{', '.join(sorted({*RUNNABLE, *PLAIN}))}; use text for what is not code.",
            )
        return
    for option, value in item.options.items():
        if option not in known:
            raise PageError(
                name, line, f"option {option!r} is not one of {', '.join(sorted(known))}."
            )
        if option not in ("hide", "quiet") and not value:
            raise PageError(name, line, f'option {option} needs a value, as {option}="...".')
