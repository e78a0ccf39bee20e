"""Files and classes stay small enough to be read at once."""

import dataclasses
import inspect
from pathlib import Path

import flax.linen as nn

import blocks

FILES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))
BLOCKS = [
    kind
    for name in blocks.__all__
    if inspect.isclass(kind := getattr(blocks, name)) and issubclass(kind, nn.Module)
]


def test_a_file_has_at_most_300_lines() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {str(path): count for path, count in lines.items() if count > 300}


def test_a_block_has_at_most_16_fields() -> None:
    fields = {
        kind.__name__: {f.name for f in dataclasses.fields(kind) if f.init} - {"parent", "name"}
        for kind in BLOCKS
    }
    assert not {name: sorted(own) for name, own in fields.items() if len(own) > 16}
