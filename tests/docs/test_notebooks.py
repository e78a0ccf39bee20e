"""A chapter as a notebook: its cells are what the page shows, and they run."""

import base64
import json
import re
from pathlib import Path

import pytest

from _build import notebooks
from _build.fences import PageError, read
from _build.pages import ROOT, Page
from _build.run import follow

CHAPTERS = [page.name for page in notebooks.chapters()]
PAGE = """# 1. Sums

See [chapter 2](02_next.md#there), [a block](../blocks/mlp.md), [`MLP`][blocks.MLP], [Flax](https://flax.dev).

```python
a = 1
print(a)
```

```python hide figure="A line." caption="Drawn."
a
```

??? question "1. Two?"

    Make it two.

??? success "Solution"

    Add one.

    ```python raises=ValueError
    int("two")
    ```

    So it is.

```shell
echo 3 > note
```
"""
RESULTS = [
    {"text": "1\n"},
    {"text": "", "svg": '<svg viewBox="0 0 1 1"><path stroke="var(--drawn-blue)"/></svg>'},
    {"text": "", "error": "ValueError: invalid literal for int() with base 10: 'two'"},
    {"text": ""},
]


@pytest.fixture
def made(tmp_path) -> dict:
    """The notebook of `PAGE`."""
    (tmp_path / "docs/assets").mkdir(parents=True)
    style = ":root {\n  --drawn-blue: #1f5fbf;\n}\n"
    (tmp_path / "docs/assets/site.css").write_text(style)
    (tmp_path / "page.md").write_text(PAGE)
    page = Page("page.md", read(tmp_path / "page.md", tmp_path), RESULTS, 0.0)
    return json.loads(notebooks.notebook(page, tmp_path))


def sources(made: dict, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == kind]


def test_code_that_is_shown_becomes_cells_in_its_order(made):
    shell = "%%bash\necho 3 > note"
    assert sources(made, "code") == [
        "a = 1\nprint(a)", "# Your answer", 'int("two")', shell
    ]  # fmt: skip


def test_what_a_cell_gave_stands_under_it(made):
    first, _, third, _ = (cell for cell in made["cells"] if cell["cell_type"] == "code")
    assert first["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["1"]}]
    assert third["metadata"]["tags"] == ["raises-exception"]
    assert third["outputs"][0]["ename"] == "ValueError"
    assert third["outputs"][0]["evalue"].startswith("invalid literal")


def test_a_figure_is_a_picture_in_the_colours_of_the_page(made):
    cell = next(cell for cell in made["cells"] if "attachments" in cell)
    assert "".join(cell["source"]) == "![A line.](attachment:figure.svg)\n\n*Drawn.*"
    drawn = base64.b64decode(cell["attachments"]["figure.svg"]["image/svg+xml"]).decode()
    assert 'stroke="#1f5fbf"' in drawn
    assert "var(--" not in drawn


def test_a_link_leads_to_a_notebook_or_the_web_or_is_none(made):
    words = sources(made, "markdown")[0]
    assert words.endswith(
        "See [chapter 2](02_next.ipynb), a block, `MLP`, [Flax](https://flax.dev)."
    )


def test_a_solution_is_folded(made):
    folded = [text for text in sources(made, "markdown") if text.startswith("<details>")]
    assert [re.sub(r"\s+", " ", text) for text in folded] == [
        "<details><summary>Solution</summary> Add one. </details>",
        "<details><summary>Solution, continued</summary> So it is. </details>",
    ]
    code = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    assert [bool(cell["metadata"].get("jupyter")) for cell in code] == [False, False, True, False]


def test_a_notebook_has_what_its_format_asks_for(made):
    """As nbformat 4.5 has it; the library itself would check no more here."""
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    assert made["metadata"]["kernelspec"].keys() == {"name", "language", "display_name"}
    ids = [cell["id"] for cell in made["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in made["cells"]:
        wanted = {"id", "cell_type", "metadata", "source"}
        if cell["cell_type"] == "code":
            wanted |= {"execution_count", "outputs"}
        assert cell.keys() - {"attachments"} == wanted


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_has_every_shown_snippet_in_its_notebook(name):
    path = ROOT / "docs/learn" / name
    items = read(path, ROOT)
    results = [{"svg": "<svg></svg>"} if "figure" in item.options else {} for item in items]
    page = Page(path.relative_to(ROOT).as_posix(), items, results, 0.0)
    cells = sources(json.loads(notebooks.notebook(page)), "code")
    shown = [
        item.code
        for item in items
        if item.runs and item.language == "python" and "hide" not in item.options
    ]
    assert [cell for cell in cells if not cell.startswith(("%%bash", "# Your"))] == shown


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a notebook of some cells."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, *cells: tuple[str, str]) -> Path:
        made = [
            {
                "id": f"cell-{number}",
                "cell_type": "code",
                "source": code.splitlines(keepends=True),
                "outputs": [{"ename": error}] if error else [],
            }
            for number, (code, error) in enumerate(cells, 1)
        ]
        (tmp_path / name).write_text(json.dumps({"cells": made}))
        return tmp_path / name

    return written


def test_a_session_goes_from_one_notebook_to_the_next(write):
    first = write("1.ipynb", ("a = 1", ""))
    code = "with open('note') as note:\n    a += int(note.read())"
    second = write("2.ipynb", ("%%bash\necho 3 > note", ""), (code, ""))
    space: dict[str, object] = {}
    assert [follow(notebooks.code_cells(path), space) for path in (first, second)] == [1, 2]
    assert space["a"] == 4


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("a = 1\na / 0", "", "1.ipynb, cell-1:2: ZeroDivisionError: division by zero"),
        ("a = 1", "ValueError", "1.ipynb, cell-1:1: raises=ValueError was promised"),
    ],
)
def test_a_cell_that_does_not_do_what_it_shows_is_named(code, error, message, write):
    with pytest.raises(PageError) as raised:
        follow(notebooks.code_cells(write("1.ipynb", (code, error))), {})
    assert str(raised.value).startswith(message)
