"""What pages ask for between double braces says what the code says."""

import pytest

from _build.macros import shapes
from blocks import PreNorm


@pytest.mark.parametrize(
    ("argument", "kind"),
    [("sublayers", "Mapping"), ("norm", "Callable"), ("context", "Context or None")],
)
def test_the_table_of_shapes_names_what_is_no_array(argument: str, kind: str) -> None:
    assert f"| `{argument}` | `{kind}` | |" in shapes(PreNorm).splitlines()
