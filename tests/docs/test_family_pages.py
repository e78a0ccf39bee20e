"""Every family of published models has a page, with what a reader looks for there."""

import ast
import functools
import re
from types import ModuleType

import jax.numpy as jnp
import pytest
from our_rows import write_folder
from reference_rows import all_rows

from _build import families, family_pages
from _build.families import Home
from _build.pages import ROOT
from blocks import CausalLM, Encoder, EncoderDecoder
from blocks.models import TwoTowers
from recipes.weights.families import registered

FILES = {
    path.stem: path
    for path in sorted((ROOT / "src/recipes/architectures").glob("*.py"))
    if path.stem != "tasks"
    and re.search(r"^ *register\(", path.read_text(encoding="utf-8"), re.MULTILINE)
}
ROWS = all_rows()
# The class of model that rows of a kind are.
KINDS = {
    "causal": CausalLM,
    "encoder": Encoder,
    "vision": Encoder,
    "sound": Encoder,
    "seq2seq": EncoderDecoder,
    "captions": EncoderDecoder,
    "speech": EncoderDecoder,
    "towers": TwoTowers,
}


@functools.cache
def pages() -> dict[str, str]:
    """The pages by family: written by the process that tests them, not by all that collect."""
    return {
        place.removeprefix("recipes/architectures/").removesuffix(".md"): text
        for place, text in family_pages.pages(ROOT).items()
    }


def section(page: str, title: str) -> str:
    """What stands on a page below a heading, up to the next of its level."""
    found = re.search(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", pages()[page], re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {title}"
    return found[1]


def page_of(row: str) -> str:
    """The page that shows a row as a value."""
    (page,) = (name for name, text in pages().items() if f"\n### {row} {{#{row} " in text)
    return page


def test_every_file_that_registers_a_family_has_a_page():
    assert set(pages()) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_page_says_what_the_family_is_and_cites_its_papers(name):
    docstring = ast.get_docstring(ast.parse(FILES[name].read_text(encoding="utf-8"))) or ""
    title, _, what = docstring.splitlines()[0].partition(": ")
    assert f"\n# {title}\n\n{what[0].upper()}{what[1:]}\n" in pages()[name]
    cited = section(name, "References")
    for paper in re.findall(r"arXiv:([\d.]+\d)", docstring):
        assert f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" in cited
    assert cited.strip().splitlines()
    assert all(re.match(r"- .+\.$", line) for line in cited.strip().splitlines())


@pytest.mark.parametrize("name", FILES)
def test_a_page_has_the_file_that_it_links_to(name):
    assert f"[`{name}.py`](#source)" in pages()[name]
    assert f"<code>src/recipes/architectures/{name}.py</code>" in section(name, "Source")


def test_every_registered_kind_is_named_on_one_page():
    for kind in registered():
        named = [name for name in pages() if f"`{kind}`" in section(name, "Loading it")]
        assert len(named) == 1, kind


def test_what_a_file_registers_by_a_helper_is_its_own():
    named = section("roberta", "Loading it")
    assert "`RobertaForTokenClassification`" in named
    assert "`XLMRobertaForMaskedLM`" in named


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_shown_as_a_value_with_its_configuration(row):
    found = re.search(
        rf"^### {row} {{#{row} .*?```python\n(.*?)```\n\n.*?```json\n(.*?)```",
        section(page_of(row), "As a value"),
        re.MULTILINE | re.DOTALL,
    )
    assert found
    value = ast.parse(found[1], mode="eval").body
    assert isinstance(value, ast.Call)
    assert ast.unparse(value.func) == KINDS[ROWS[row].kind].__name__
    assert f'"{ROWS[row].reference}"' in found[2]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_told_apart_from_one_of_its_kind(row):
    told = re.search(
        rf"^\*\*{row}\*\* (?:begins the tree|differs from its nearest relative, \[(\w+)\])",
        section(page_of(row), "What tells it apart"),
        re.MULTILINE,
    )
    assert told
    other = told[1] or row
    assert KINDS[ROWS[row].kind] is KINDS[ROWS[other].kind]


def test_what_tells_mixtral_apart_is_its_experts():
    told = section("mixtral", "What tells it apart")
    assert "its nearest relative, [mistral](mistral.md#mistral), in this" in told
    assert "- `stack.block.mlp`: `GatedMLP(hidden=40)` → `MixtureOfExperts`" in told


def test_the_tree_leads_to_every_row_once():
    tree = families.family_tree(ROOT)
    links = re.findall(r"^ *- \[(\w+)\]\(architectures/(\w+)\.md#(\w+)\)", tree, re.MULTILINE)
    assert sorted(row for row, _, _ in links) == sorted(ROWS)
    assert all(row == anchor and page == page_of(row) for row, page, anchor in links)


@pytest.mark.parametrize("row", ["gpt2", "distilbert", "mbart", "vit"])
def test_the_code_of_a_page_loads_and_calls_its_model(row, tmp_path):
    write_folder(ROWS[row], tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", section(page_of(row), "Loading it"), re.DOTALL)
    tokens = jnp.ones((1, 2), jnp.int32)
    size = ROWS[row].config.get("image_size")
    inputs = tokens if size is None else jnp.ones((1, size, size, 3))
    space = {"tokens": tokens, "source": tokens, "inputs": inputs}
    exec(code.replace('"folder"', repr(str(tmp_path))), space)
    assert jnp.isfinite(space["outputs"]).all()


def home(docstring: str) -> Home:
    return Home("new", ModuleType("recipes.architectures.new", docstring), ("new",))


def test_a_file_without_papers_is_refused():
    with pytest.raises(family_pages.FamilyError, match=r"new\.py: its docstring must say"):
        family_pages.page(home("New: a model.\n"), ROOT)


def test_a_family_without_a_row_is_refused():
    with pytest.raises(family_pages.FamilyError, match=r"new\.py: no row of tests/support"):
        family_pages.page(home("New: a model.\n\nReferences:\n    One, 2020.\n"), ROOT)
