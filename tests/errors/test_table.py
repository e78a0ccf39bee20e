"""Every mistake of the table is met with the whole text that stands there."""

import inspect

import flax.linen as nn
import pytest
from errors.case import Case
from errors.table import CASES

import blocks


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_mistake_is_told(case: Case) -> None:
    with pytest.raises(case.kind) as error:
        case.call()
    assert type(error.value) is case.kind
    assert str(error.value) == case.text


def test_the_table_is_long() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 150


def test_every_public_block_has_its_mistakes() -> None:
    kinds = {
        name
        for name in blocks.__all__
        if inspect.isclass(kind := getattr(blocks, name)) and issubclass(kind, nn.Module)
    }
    slots = {"Block", "Residual", "Router", "Pooler", "QKTransform", "ScoreModification"}
    slots |= {"ValueTransform", "HeadTransform", "Sinks", "FeatureMap"}
    assert kinds - slots - {case.name.split()[0] for case in CASES} == set()


def test_most_messages_of_shape_and_field_hold_a_fix() -> None:
    structured = [case.text for case in CASES if "  actual:   " in case.text]
    with_fix = [text for text in structured if "  fix:      " in text]
    assert len(with_fix) / len(structured) > 0.7
