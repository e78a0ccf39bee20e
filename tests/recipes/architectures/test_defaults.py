"""Fields that a configuration omits have the values of the reference's classes."""

import dataclasses
import importlib
import json

import pytest
from reference_rows import all_rows

from blocks.core.parameters import parameter_shapes
from recipes.errors import RecipeError
from recipes.weights.harmless import HARMLESS
from recipes.weights.load import model_of

ROWS = all_rows()
# The reference computes them of other fields, and writes what it has computed.
COMPUTED = {"layer_types", "moe_layers", "no_rope_layers", "head_dim", "max_position_embeddings"}
# Of training alone.
TRAINING = ("drop",)
pytestmark = pytest.mark.reference


@pytest.mark.parametrize("name", ROWS)
def test_a_field_that_is_missing_is_required_or_the_reference_s_default(name):
    """Sizes may differ: weights of other shapes are refused."""
    pytest.importorskip("transformers", reason="needs the extra `reference`")
    row = ROWS[name]
    kind = getattr(importlib.import_module("transformers"), row.reference).config_class
    config = kind(**row.config)
    config.architectures = [row.reference]
    fields = json.loads(config.to_json_string(use_diff=False))
    wrong = {
        field.name: field.default
        for field in dataclasses.fields(kind)
        if field.name in fields and is_read(field) and differs(fields, field)
    }
    assert not wrong


def is_read(field: dataclasses.Field) -> bool:
    """Whether a field has a plain default that a model depends on."""
    ignored = field.name in HARMLESS | COMPUTED or any(part in field.name for part in TRAINING)
    return not ignored and isinstance(field.default, bool | int | float | str)


def differs(fields: dict, field: dataclasses.Field) -> bool:
    """Whether a configuration without the field is read in silence as another model."""
    try:
        expected, family, config = model_of({**fields, field.name: field.default})
    except (RecipeError, ValueError, ArithmeticError, IndexError):
        return False  # A default that does not go with the row's other fields.
    try:
        found, _, _ = model_of({key: fields[key] for key in fields if key != field.name})
    except RecipeError:
        return False  # The field is required.
    if found == expected:
        return False
    inputs = family.inputs(config)
    return parameter_shapes(found, *inputs) == parameter_shapes(expected, *inputs)
