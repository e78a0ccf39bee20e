"""What mkdocs calls: pages are run before they are rendered, and their output is put in."""

from __future__ import annotations

import html
import logging
import re
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [path for path in [str(Path(__file__).parents[1])] if path not in sys.path]

from mkdocs.exceptions import PluginError  # noqa: E402
from mkdocs.structure.files import File  # noqa: E402

from _build import drawing, family_pages, navigation, notebooks, rooms  # noqa: E402
from _build.fences import Item  # noqa: E402
from _build.pages import ROOT, Page, all_pages, count, run_pages  # noqa: E402

log = logging.getLogger("mkdocs.pages")
_pages: dict[str, Page] = {}
_html: dict[str, str] = {}


def on_config(config: Any) -> Any:
    """Lists the pages of a folder where the navigation names a folder."""
    config.nav = navigation.expand(config.nav, Path(config.docs_dir))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Runs the code of every page that changed; one that fails ends the build.

    Beside each chapter of Learn goes its notebook, and each family of models gets a page.
    """
    ran, failures = run_pages(page for page in all_pages() if page.name != "README.md")
    if failures:
        raise PluginError("A page does not run.\n" + "\n".join(failures))
    _pages.clear()
    _pages.update({page.name: page for page in ran})
    for chapter in notebooks.chapters():
        text = notebooks.notebook(_pages[chapter.relative_to(ROOT).as_posix()])
        place = f"learn/{notebooks.address(chapter)}"
        files.append(File.generated(config, place, content=text))
    for place, text in family_pages.pages(ROOT).items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Puts under each snippet what it gave, and under a chapter's title its notebook."""
    del config
    name = f"docs/{page.file.src_uri}"
    if name not in _pages:
        return markdown
    text = (ROOT / name).read_text(encoding="utf-8")
    spliced = rooms.resolved(splice(text, _pages[name], page.meta))
    path = notebooks.address(Path(name))
    if files.get_file_from_path(f"learn/{path}") is None:
        return spliced
    offer = f"[Download this chapter as a notebook]({path}){{ .notebook download }}"
    return re.sub(r"^# .+$", rf"\g<0>\n\n{offer}", spliced, count=1, flags=re.MULTILINE)


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Puts in figures and sources, which Markdown must not touch."""
    del page, config, files
    for mark, text in _html.items():
        content = content.replace(f"<p>{mark}</p>", text)
    _html.clear()
    return content


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Names the search for those who hear the page; the theme leaves its dialog without a name."""
    del page, config
    dialog = 'data-md-component="search" role="dialog"'
    return output.replace(dialog, f'{dialog} aria-label="Search"')


def on_post_build(config: Any) -> None:
    """Says how much of the site was run."""
    del config
    log.info(count(all_pages()))


def splice(text: str, page: Page, meta: dict[str, Any]) -> str:
    """The Markdown of a page with what its code gave."""
    lines = text.splitlines()
    out: list[str] = []
    at = _after_front_matter(lines) if meta else 0
    for number, (item, result) in enumerate(zip(page.items, page.results, strict=True)):
        out += lines[at : item.first]
        out += [item.indent + line if line else line for line in _lines(item, result, number)]
        at = item.last + 1
    return "\n".join([*out, *lines[at:]])


def _lines(item: Item, result: dict[str, str], number: int) -> list[str]:
    if item.language == "macro":
        return _raw(number, result["html"]) if "html" in result else result["markdown"].split("\n")
    lines = []
    if "hide" not in item.options:
        lines += _fence(item.code, f"{{.{item.language}}}" if item.language else "")
    if "skip" in item.options:
        reason = html.escape(item.options["skip"])
        lines += _raw(number, f'<p class="not-run">Not run here: {reason}</p>')
    if "quiet" not in item.options and (text := result.get("text", "").rstrip()):
        lines += _fence(text, "{.text .output .no-copy}")
    if error := result.get("error", "").rstrip():
        lines += _fence(error, "{.text .output .error .no-copy}")
    if "svg" in result:
        alt, caption = item.options["figure"], item.options.get("caption", "")
        lines += _raw(number, drawing.placed(result["svg"], number, alt, caption))
    return lines


def _fence(code: str, info: str) -> list[str]:
    mark = "`" * 3
    while mark in code:
        mark += "`"
    return ["", f"{mark} {info}".rstrip(), *code.split("\n"), mark, ""]


def _raw(number: int, text: str) -> list[str]:
    mark = f"HTML-OF-ITEM-{number}-"
    _html[mark] = text
    return ["", mark, ""]


def _after_front_matter(lines: list[str]) -> int:
    if lines and lines[0] == "---":
        return next(i for i, line in enumerate(lines[1:], 1) if line in ("---", "...")) + 1
    return 0
