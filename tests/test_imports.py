"""Who may import whom: read from the sources, and seen in fresh interpreters."""

import ast
import subprocess
import sys

import pytest
from sources import (
    SOURCES,
    distributions_imported_by,
    module_graph,
    python_files,
    reachable,
)

# NumPy is what JAX gives outside of a trace.
BLOCKS_MAY_IMPORT = {"jax", "numpy", "flax", "chex", "jaxtyping", "beartype", "blocks"}
BELONG_TO_RECIPES = {"optax", "orbax", "grain", "tyro"}
LIGHT = [
    *("config", "errors", "presets", "data", "data.corpora", "data.tokenizers"),
    *("generation.sampling", "runs.folder", "runs.report", "commands"),
]


def loaded_by(code: str) -> set[str]:
    """Top-level modules that are loaded after `code` has run in a fresh interpreter."""
    listing = "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    finished = subprocess.run(
        [sys.executable, "-c", code + listing], check=True, capture_output=True, text=True
    )
    return set(finished.stdout.splitlines()[-1].split())


def test_blocks_are_written_with_jax_flax_and_checkers_only():
    files = python_files(SOURCES / "blocks")
    others = {str(path): distributions_imported_by(path) - BLOCKS_MAY_IMPORT for path in files}
    assert not {path: names for path, names in others.items() if names}


def test_the_trainer_imports_no_block():
    files = python_files(SOURCES / "recipes" / "trainer")
    assert not [str(path) for path in files if "blocks" in distributions_imported_by(path)]


def test_modules_of_the_recipes_import_each_other_in_no_circle():
    graph = module_graph("recipes")
    assert "recipes.trainer.loop" in graph["recipes.nanogpt"]
    circles = {name for name in graph if name in reachable(graph, name)}
    assert not circles, f"These import themselves by a detour: {sorted(circles)}."


def test_the_story_is_short_enough_to_be_read_at_once():
    text = (SOURCES / "recipes" / "nanogpt.py").read_text(encoding="utf-8")
    train = next(node for node in ast.parse(text).body if getattr(node, "name", "") == "train")
    assert len(text.splitlines()) < 250
    assert train.end_lineno is not None
    assert train.end_lineno - train.lineno < 50


def test_the_story_imports_at_its_top():
    """Below the first function there is no import; the guard for the command line stands above."""
    tree = ast.parse((SOURCES / "recipes" / "nanogpt.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert not [node for f in functions for node in ast.walk(f) if isinstance(node, ast.ImportFrom)]


def test_the_trainer_imports_nothing_of_the_recipes_that_knows_blocks():
    """A detour through a sibling would bring blocks in all the same."""
    assert "blocks" not in loaded_by("import recipes.trainer.loop")


def test_import_blocks_loads_nothing_of_recipes_nor_what_only_checks_of_values_need():
    # None of these comes with flax.linen or chex; the test below says so for the versions at hand.
    assert not loaded_by("import blocks") & (BELONG_TO_RECIPES | {"recipes", "chex"})


def test_flax_and_chex_alone_load_nothing_that_belongs_to_recipes():
    """If this fails, a dependency has changed, and the test above blames the wrong one."""
    assert not loaded_by("import flax.linen, chex") & BELONG_TO_RECIPES


@pytest.mark.parametrize("module", LIGHT)
def test_what_the_command_line_needs_first_does_not_load_jax(module):
    assert not loaded_by(f"import recipes.{module}") & {"jax", "flax", "grain", "orbax"}


@pytest.mark.parametrize(
    "arguments",
    ["--help", "train --help", "train quick --help", "sample --help", "eval --help", "size --help"],
)
def test_help_does_not_load_jax(arguments):
    command = [sys.executable, "-X", "importtime", "-m", "recipes.nanogpt", *arguments.split()]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "usage" in finished.stdout
    # A line reads `import time: microseconds | microseconds | name`.
    loaded = {line.rpartition("|")[2].strip() for line in finished.stderr.splitlines()}
    assert "tyro" in loaded
    assert not loaded & {"jax", "flax", "grain", "orbax", "numpy"}
