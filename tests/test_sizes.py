"""Files and classes stay small enough to be read at once."""

import dataclasses
from pathlib import Path

from public_names import BLOCKS

from blocks.attention.attention import Attention

FILES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))


def test_a_file_has_at_most_300_lines() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {str(path): count for path, count in lines.items() if count > 300}


def test_a_block_has_at_most_16_fields() -> None:
    """Kinds of attention may have 20: one slot for each kind of part is 13 before any size."""
    fields = {
        name: {f.name for f in dataclasses.fields(kind) if f.init} - {"parent", "name"}
        for name, kind in BLOCKS.items()
    }
    most = {name: 20 if issubclass(kind, Attention) else 16 for name, kind in BLOCKS.items()}
    assert not {name: sorted(own) for name, own in fields.items() if len(own) > most[name]}
