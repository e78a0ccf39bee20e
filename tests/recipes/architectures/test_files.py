"""Files of families: short, and without a class."""

import ast
import statistics

import pytest
from sources import SOURCES

FOLDER = SOURCES / "recipes" / "architectures"
TREES = {path.name: (path.read_text(), ast.parse(path.read_text())) for path in FOLDER.glob("*.py")}


def registers(tree: ast.Module) -> bool:
    """Whether a file registers a family; the others hold what families share."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [getattr(call, "id", getattr(call, "attr", "")) for call in calls]
    return any(name == "register" for name in names)


LINES = {name: len(text.splitlines()) for name, (text, tree) in TREES.items() if registers(tree)}


def test_there_is_no_class_for_any_family():
    found = [node for _, tree in TREES.values() for node in ast.walk(tree)]
    assert not [node.name for node in found if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("name", LINES)
def test_a_family_takes_at_most_120_lines(name):
    assert LINES[name] <= 120


def test_half_of_the_families_take_at_most_60_lines(record_property):
    record_property("median", statistics.median(LINES.values()))
    assert statistics.median(LINES.values()) <= 60
