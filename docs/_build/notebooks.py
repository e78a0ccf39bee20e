"""Chapters as notebooks: what a page shows, as cells; and a runner for them.

`python docs/_build/notebooks.py FOLDER` writes them without the rest of the site.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [path for path in [str(Path(__file__).parents[1])] if path not in sys.path]

from _build.drawing import VARIABLES  # noqa: E402
from _build.fences import RUNNABLE, Item  # noqa: E402
from _build.pages import ROOT, Page, run_pages  # noqa: E402

BOX = re.compile(r'^\?\?\? (?P<kind>\w+) "(?P<title>.+)"$')
LINK = re.compile(r"\[([^\]]+)\](?:\(([^)]+)\)|\[(?:blocks|recipes)\.[\w.]+\])")
ABOUT = (
    "*This notebook is a chapter of the course, made from its page. It runs from its first cell to "
    "its last where the package is installed: `pip install linen-blocks`.*"
)
SHELL = "%%bash"

Cell = dict[str, Any]


def chapters(root: Path = ROOT) -> list[Path]:
    """The pages that are offered as notebooks."""
    return sorted((root / "docs" / "learn").glob("[0-9][0-9]_*.md"))


def address(page: Path) -> str:
    """Where the notebook of a page stands: beside it."""
    return page.with_suffix(".ipynb").name


def notebook(page: Page, root: Path = ROOT) -> str:
    """A page that was run, as a notebook in nbformat's JSON."""
    text = (root / page.name).read_text(encoding="utf-8")
    cells = [{"id": f"cell-{i}", **cell} for i, cell in enumerate(_cells(text, page, root), 1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _cells(text: str, page: Page, root: Path) -> Iterator[Cell]:
    lines = text.splitlines()
    at = lines.index("---", 1) + 1 if lines[0] == "---" else 0
    words = Words()
    for item, result in zip(page.items, page.results, strict=True):
        if item.language not in RUNNABLE or not item.runs:
            continue  # read, not run: it stays among the words
        yield from words.cells(lines[at : item.first])
        if "hide" not in item.options:
            yield _code(item, result)
        if "svg" in result:
            yield _picture(item, result["svg"], root)
        at = item.last + 1
    yield from words.cells(lines[at:])


class Words:
    """Turns Markdown between code into cells; it remembers the box that it stands in."""

    def __init__(self) -> None:
        self.box = ""

    def cells(self, lines: list[str]) -> Iterator[Cell]:
        """The cells of some lines, one for each run of lines outside or inside one box."""
        run: list[str] = ["<summary>Solution, continued</summary>"] if self._hidden else []
        for line in lines:
            if found := BOX.match(line):
                yield from self._cell(run)
                self.box = found["kind"]
                run = [_heading(found["kind"], found["title"])]
            elif self.box and line and not line.startswith("    "):
                yield from self._cell(run)
                self.box, run = "", [line]
            else:
                run.append(line[4:] if self.box else line)
        yield from self._cell(run)

    @property
    def _hidden(self) -> bool:
        return self.box == "success"

    def _cell(self, lines: list[str]) -> Iterator[Cell]:
        text = LINK.sub(_link, "\n".join(lines).strip())
        if self._hidden and text.partition("\n")[2].strip():
            text = f"<details>{text}\n\n</details>"
        elif self._hidden:
            text = ""
        if text.startswith("# "):
            title, _, rest = text.partition("\n")
            text = f"{title}\n\n{ABOUT}\n{rest}"
        if text:
            yield {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}
        if text and self.box == "question":
            yield _code(Item("python", "# Your answer\n", 0, 0), {})


def _heading(kind: str, title: str) -> str:
    if kind == "success":
        return f"<summary>{title}</summary>"
    return f"**{'Exercise ' if kind == 'question' else ''}{title}**"


def _link(found: re.Match[str]) -> str:
    """A link that holds outside the site: to another chapter's notebook or the open web."""
    text, target = found[1], found[2] or ""
    if target.startswith("http"):
        return found[0]
    if chapter := re.fullmatch(r"(\d\d_\w+)\.md(?:#.*)?", target):
        return f"[{text}]({chapter[1]}.ipynb)"
    return text


def _code(item: Item, result: dict[str, str]) -> Cell:
    code, metadata, outputs = item.code, {}, []
    if item.language == "shell":
        code = f"{SHELL}\n{code}"
    if item.indent:  # a box of the page is folded
        metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    if "quiet" not in item.options and (text := result.get("text", "")):
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if kind := item.options.get("raises"):
        metadata["tags"] = ["raises-exception"]
        message = result.get("error", "").removeprefix(f"{kind}: ")
        error = {"ename": kind, "evalue": message, "traceback": [f"{kind}: {message}"]}
        outputs.append({"output_type": "error", **error})
    source = {"source": _lines(code), "outputs": outputs}
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, **source}


def _picture(item: Item, drawn: str, root: Path) -> Cell:
    """A figure as the page shows it in light: its code needs more than the package."""
    alt, caption = item.options["figure"], item.options.get("caption", "")
    data = base64.b64encode(_standing_alone(drawn, root).encode()).decode()
    return {
        "cell_type": "markdown",
        "metadata": {},
        "attachments": {"figure.svg": {"image/svg+xml": data}},
        "source": _lines(
            f"![{alt}](attachment:figure.svg)\n\n{caption and f'*{caption}*'}".strip()
        ),
    }


def _standing_alone(drawn: str, root: Path) -> str:
    """An SVG with the colours that its page would give it."""
    css = (root / "docs" / "assets" / "site.css").read_text(encoding="utf-8")
    rules = "\n".join(re.findall(r"^(?:figure\.drawn text|\.diagram) .*$", css, re.MULTILINE))
    rules = rules.replace("figure.drawn text", "text").replace("var(--md-text-font), ", "")
    style = f"<style>svg {{ color: #1c1e21; background: #ffffff; }}\n{rules}</style>"
    drawn = re.sub(r"(<svg[^>]*>)", rf"\1{style}", drawn, count=1)
    for variable in VARIABLES.values():
        if found := re.search(rf"{re.escape(variable[4:-1])}: (#\w+);", css):
            drawn = drawn.replace(variable, found[1])
    return drawn


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").splitlines(keepends=True)


def code_cells(path: Path) -> Iterator[tuple[str, Item]]:
    """The code of a notebook in order, each as an item to run, with its place for messages."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        code, language = "".join(cell["source"]), "python"
        if code.startswith(f"{SHELL}\n"):
            code, language = code.removeprefix(f"{SHELL}\n"), "shell"
        errors = [output["ename"] for output in cell["outputs"] if "ename" in output]
        options = {"raises": errors[0]} if errors else {}
        yield f"{path.name}, {cell['id']}", Item(language, code, -1, -1, options=options)


def main() -> int:
    """Writes the notebooks of all chapters to a folder."""
    if len(sys.argv) != 2:
        print("usage: python docs/_build/notebooks.py FOLDER")
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    ran, failures = run_pages(chapters())
    for page in ran:
        (folder / address(Path(page.name))).write_text(notebook(page), encoding="utf-8")
    print("\n".join(failures) or f"{len(ran)} notebooks in {folder}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
