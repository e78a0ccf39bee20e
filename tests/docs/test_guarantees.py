"""The data behind the pages of guarantees: what it names exists."""

import ast
import tomllib
from pathlib import Path

import pytest

from _build.rooms import every_name

ROOT = Path(__file__).parents[2]
FEATURES = tomllib.loads((ROOT / "docs/guarantees/features.toml").read_text(encoding="utf-8"))
FAULTS = tomllib.loads((ROOT / "docs/guarantees/faults.toml").read_text(encoding="utf-8"))


def test_the_table_of_features_names_public_parts() -> None:
    named = {name for feature in FEATURES["feature"] for name in feature["ours"]}
    assert named - set(every_name()) == set()


def test_a_cell_of_the_table_is_of_a_library_that_it_speaks_of() -> None:
    known = {"group", "name", "ours", "search", *FEATURES["peers"]}
    assert {key for feature in FEATURES["feature"] for key in feature} - known == set()


@pytest.mark.parametrize("fault", FAULTS["fault"], ids=lambda fault: fault["fault"])
def test_a_fault_is_injected_by_a_test_that_there_is(fault: dict[str, str]) -> None:
    file, _, name = fault["test"].partition("::")
    tree = ast.parse((ROOT / "tests/recipes" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
