"""What the reference says of fields that a block has from its base."""

import pytest

from _build.pages import ROOT

griffe = pytest.importorskip("griffe", reason="needs the extra `docs`")
pytestmark = pytest.mark.slow  # runs beside the build of the site, where the extra is there


def test_a_block_describes_the_fields_of_its_base_and_its_own_where_both_do() -> None:
    extensions = griffe.load_extensions(str(ROOT / "docs/_build/signatures.py:Written"))
    package = griffe.load("blocks", search_paths=[ROOT / "src"], extensions=extensions)
    text = package["mlp.gated.GatedMLP"].docstring.value
    assert "\n    dropout_rate: dropout probability on the hidden features.\n" in text
    assert "\n    use_bias: learn biases in all three projections" in text
    assert text.count("use_bias:") == 1


@pytest.mark.parametrize(
    ("block", "field", "written"),
    [
        ("attention.multi_head.MultiHeadAttention", "num_kv_heads", "int | None"),
        ("mlp.mlp.MLP", "dropout_rate", "float"),
        ("attention.block_sparse.BlockSparse", "repeats", "int"),
        ("heads.classifier.ClassifierHead", "norm", "Norm | None"),
    ],
)
def test_numbers_are_written_without_their_bounds(block: str, field: str, written: str) -> None:
    extensions = griffe.load_extensions(str(ROOT / "docs/_build/signatures.py:Written"))
    package = griffe.load("blocks", search_paths=[ROOT / "src"], extensions=extensions)
    assert str(package[block].parameters[field].annotation) == written
