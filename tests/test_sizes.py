"""Files and classes stay small enough to be read at once."""

import dataclasses
from pathlib import Path

from public_names import BLOCKS

FILES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))


def test_a_file_has_at_most_300_lines() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {str(path): count for path, count in lines.items() if count > 300}


def test_a_class_declares_at_most_16_fields() -> None:
    """What a class adds to its base; a kind of attention has the fields of `Attention` too."""
    fields = {
        name: {f.name for f in dataclasses.fields(kind) if f.init} & set(kind.__annotations__)
        for name, kind in BLOCKS.items()
    }
    assert not {name: sorted(own) for name, own in fields.items() if len(own) > 16}
