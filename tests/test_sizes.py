"""Files and classes stay small enough to be read at once."""

import dataclasses
import inspect
from pathlib import Path

import flax.linen as nn
import pytest

import blocks

SOURCES = Path(__file__).parents[1] / "src"
BLOCKS = [
    kind
    for name in blocks.__all__
    if inspect.isclass(kind := getattr(blocks, name)) and issubclass(kind, nn.Module)
]


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: path.stem)
def test_a_file_has_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.__name__)
def test_a_block_has_at_most_16_fields(kind: type[nn.Module]) -> None:
    own = {f.name for f in dataclasses.fields(kind) if f.init} - {"parent", "name"}
    assert len(own) <= 16
