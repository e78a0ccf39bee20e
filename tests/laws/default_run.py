"""On which cases the default run tests a law; the rest are slow tests.

A break shows wherever the part stands that has it: a block, a mask, a cache, or the way that a flag
such as `causal` has it go. So a law is tested on few cases that hold all of these between them,
those with many first, and on heavy cases only where it is in `ALWAYS`. That results are right is
tested on `EVERY` case, as two cases of the same parts still differ in their sizes.
"""

import functools
import re
from collections.abc import Iterable
from typing import Any

import flax.linen as nn

from blocks import find
from blocks.core.modules import fields_of

# Laws that are tested on every case, heavy ones too.
EVERY = {
    "test_matches_a_reference_in_float64",
    "test_parameters_are_as_many_as_the_formula_says",
}
# Laws that heavy cases are tested on too, for the kinds that no other case holds.
ALWAYS = {
    *EVERY,
    "test_no_gradient_comes_from_the_future",
    "test_dropout_follows_its_key",
    "test_shapes_of_results_are_those_of_the_signature",
    "test_context_may_be_left_out",
    "test_a_model_refuses_what_none_of_its_parts_reads",
}


@functools.cache  # as laws are tested on the same blocks
def kinds(block: nn.Module) -> frozenset[str]:
    """Classes in the fields of a block's parts, and the flags that are not at their defaults."""
    parts = find(block, nn.Module).values()
    values = " ".join(repr(value) for part in parts for value in fields_of(part).values())
    return frozenset(re.findall(r"\b[A-Z]\w*(?=\()|\b\w+=(?:True|False)\b", f"{block!r} {values}"))


def chosen(law: str, cases: Iterable[Any]) -> set[str]:
    """Names of the cases that the default run tests a law on."""
    able = [case for case in cases if not case.heavy or law in ALWAYS]
    if law in EVERY:
        return {case.name for case in able}
    of = {case.name: kinds(case.block) for case in able}
    names, seen = set(), set()
    for case in sorted(able, key=lambda case: (case.heavy, -len(of[case.name]))):
        if of[case.name] - seen:
            names.add(case.name)
            seen |= of[case.name]
    return names
