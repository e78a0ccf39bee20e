"""The default run leaves no law of a part to the slow one."""

import dataclasses
from typing import Any

from laws.cases import CASES
from laws.default_run import EVERY, chosen, kinds

from blocks import Causal, MultiHeadAttention, RMSNorm, RoPE


@dataclasses.dataclass(frozen=True)
class One:
    name: str
    block: Any
    heavy: bool = False


BOTH = One("both", MultiHeadAttention(num_heads=2, mask=Causal(), position=RoPE()))
MASKED = One("masked", MultiHeadAttention(num_heads=4, mask=Causal()))
NORM = One("norm", RMSNorm(), heavy=True)


def test_what_holds_no_kind_of_its_own_is_left_out() -> None:
    assert chosen("test_law", [MASKED, BOTH]) == {"both"}


def test_a_heavy_case_joins_in_some_laws() -> None:
    cases = [MASKED, BOTH, NORM]
    assert chosen("test_law", cases) == {"both"}
    assert chosen("test_dropout_follows_its_key", cases) == {"both", "norm"}


def test_results_are_compared_on_every_case() -> None:
    for law in EVERY:
        assert chosen(law, CASES) == {case.name for case in CASES}


def test_kinds_are_classes_and_flags() -> None:
    block = MultiHeadAttention(num_heads=2, mask=Causal(), position=RoPE(interleaved=True))
    own = {"MultiHeadAttention", "Causal", "RoPE", "interleaved=True"}
    assert kinds(block) >= own
    assert kinds(block) - kinds(MultiHeadAttention(num_heads=2)) == own - {"MultiHeadAttention"}
