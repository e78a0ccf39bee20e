"""Every block refuses, in the words of its annotations, what its fields cannot hold."""

from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
from laws.cases import CASES

from blocks import find
from blocks.core.bounds import Bound
from blocks.core.errors.words import alternatives
from blocks.core.fields import Hint, field_hints
from blocks.core.modules import fields_of
from blocks.core.typing import Meaning

PARTS = {
    type(part): part
    for case in CASES
    for part in find(case.block, nn.Module).values()
    if type(part).__module__.startswith("blocks.")
}


def fields(mark: type) -> Iterator[tuple[nn.Module, str, Hint, Any]]:
    """The fields of all blocks whose annotations have a mark of a kind, with it."""
    for kind, part in PARTS.items():
        for name, hint in field_hints(kind).items():
            for found in (found for found in hint.marks if isinstance(found, mark)):
                yield part, name, hint, found


def told(call: Callable[..., Any], kind: type[Exception], **fields: Any) -> str:
    """The message of what a call refuses, or what is wrong with that."""
    try:
        call(**fields)
    except Exception as error:
        return str(error) if type(error) is kind else f"{type(error)} instead of {kind}: {error}"
    return f"{call} refuses nothing of {fields}"


def wrong(cases: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """Messages that do not start as they should, each with that start."""
    tried = list(cases)
    assert len(tried) > 20, "the cases are gone"
    return [(said, start) for said, start in tried if not said.startswith(start)]


def test_a_number_out_of_its_bounds_is_refused_in_their_words() -> None:
    def cases() -> Iterator[tuple[str, str]]:
        for part, name, hint, bound in fields(Bound):
            numbers = (-1, 0, 1) if int in alternatives(hint.plain) else (-1.0, 0.0, 1.0)
            number = next(number for number in numbers if not bound.holds(number))
            said = told(type(part), ValueError, **{**fields_of(part), name: number})
            yield said, f"{type(part).__name__}: {name}={number} must be {bound.words}."

    assert wrong(cases()) == []


def test_what_is_not_meant_is_refused_in_the_words_of_its_meaning() -> None:
    def cases() -> Iterator[tuple[str, str]]:
        for part, name, _, meaning in fields(Meaning):
            said = told(type(part), TypeError, **{**fields_of(part), name: 0.5})
            what = f"{type(part).__name__}: field `{name}` cannot hold this"
            yield said, f"{what}\n  expected: {meaning.words}"

    assert wrong(cases()) == []


def test_an_unknown_field_is_refused_by_name() -> None:
    def cases() -> Iterator[tuple[str, str]]:
        for kind, part in PARTS.items():
            said = told(kind, TypeError, **fields_of(part), of_another_library=1)
            yield said, f"{kind.__name__}: no field `of_another_library`; there are "

    assert wrong(cases()) == []


def test_a_missing_field_is_named() -> None:
    def cases() -> Iterator[tuple[str, str]]:
        for kind, part in PARTS.items():
            for name in fields_of(part):
                given = {other: value for other, value in fields_of(part).items() if other != name}
                try:
                    kind(**given)
                except TypeError as error:  # one without a default
                    yield str(error), f"{kind.__name__}: the field `{name}` is missing; write "
                except ValueError:  # its default contradicts another field
                    pass

    assert wrong(cases()) == []
