"""The table of habits from PyTorch: what stands on its right-hand side is run on the page."""

import re

import pytest

from _build.fences import read
from _build.pages import ROOT

PAGE = ROOT / "docs/learn/from_pytorch.md"
CODE = re.compile(r"`([^`]+)`")
# Not code that runs by itself: names of parameters, and what stands inside other code.
WORDS = {"kernel", "query/kernel", "out/kernel", "scale", "bias", "embedding"}
WORDS |= {"jax.grad", "weight.T"}


def rows() -> list[tuple[str, str]]:
    """The rows of all tables: the habit, and what is written here."""
    text = PAGE.read_text(encoding="utf-8")
    cells = re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE)
    return [row for row in cells if row[0] not in ("in PyTorch", "---")]


@pytest.mark.parametrize(("habit", "here"), rows())
def test_what_the_table_says_is_run(habit, here):
    run = "\n".join(item.code for item in read(PAGE, ROOT) if item.runs)
    tried = re.sub(r"\s+", "", run)
    said = [code for code in CODE.findall(here) if code not in WORDS]
    missing = [code for code in said if re.sub(r"\s+", "", code) not in tried]
    assert not missing, f"{habit}: run {missing} in a snippet of {PAGE.name}"
