"""Every Python snippet of the README and the docs runs, page by page, from top to bottom."""

import re
from pathlib import Path

import pytest

import blocks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def snippets(page: Path) -> list[tuple[int, str]]:
    """The code of each Python fence, with the line of the page that it starts on."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start(1)), m[1]) for m in FENCE.finditer(text)]


def run(page: Path) -> dict:
    """Runs the snippets of a page in one namespace, as a reader would paste them."""
    namespace = {"__name__": "__main__"}
    for line, code in snippets(page):
        # Empty lines in front make a traceback point into the page.
        exec(compile("\n" * line + code, str(page), "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if snippets(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_snippets_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)


def test_the_model_of_the_readme_gives_the_shape_that_its_comment_says():
    assert run(ROOT / "README.md")["logits"].shape == (1, 16, 256)


def test_every_public_block_has_its_place_in_the_docs():
    documented = set()
    for page in PAGES:
        found = re.findall(r"^::: blocks\.(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        documented.update(found)
    assert set(blocks.__all__) - documented == set()
