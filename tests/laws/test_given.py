"""The law of what a call is given: a block that mixes tokens uses it or refuses it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws.case import BATCH, EMBED, SEQ, Case, drawn, run
from laws.cases import CASES

from blocks import Context, CrossAttention, EncoderDecoder, MultiTokenLM, find
from blocks.models.parts import Model

LAST = jnp.broadcast_to(jnp.arange(SEQ) >= SEQ - 2, (BATCH, SEQ))  # the last tokens
MIXING = [case for case in CASES if case.mixes and not case.heavy]


def differs(case: Case, left: Context, right: Context) -> bool:
    """Whether two contexts give the last token another result; True where one is refused."""
    arguments = case.arguments()
    variables = case.init(*arguments)
    try:
        results = [run(case, variables, arguments, context) for context in (left, right)]
    except ValueError:
        return True
    one, other = (np.asarray(jax.tree.leaves(result)[0])[:, -1] for result in results)
    return not np.array_equal(one, other)


@pytest.mark.parametrize("case", MIXING, ids=str)
def test_padding_and_documents_are_not_dropped(case: Case) -> None:
    whole, everything = LAST.astype(jnp.int32) * 0, jnp.ones_like(LAST)
    dropped = []
    if not differs(case, Context(valid=LAST), Context(valid=everything)):
        dropped.append("valid")
    documents = {"left": LAST.astype(jnp.int32), "right": whole}
    if case.memory:
        memory = jnp.arange(case.memory) >= case.memory // 2
        memory = jnp.broadcast_to(memory, (BATCH, case.memory))
        if not differs(
            case, Context(memory_valid=memory), Context(memory_valid=jnp.ones_like(memory))
        ):
            dropped.append("memory_valid")
        several, one = memory.astype(jnp.int32), memory.astype(jnp.int32) * 0
        both = (
            Context(segment_ids=whole + 1, memory_segment_ids=several),
            Context(segment_ids=whole, memory_segment_ids=one),
        )
        if not differs(case, *both):
            dropped.append("memory_segment_ids")
    elif not differs(case, *(Context(segment_ids=ids) for ids in documents.values())):
        dropped.append("segment_ids")
    assert dropped == [], f"{case.name} is given {', '.join(dropped)} and drops it in silence"


VECTORS = jnp.asarray(drawn(5, (BATCH, SEQ, EMBED)))
IDS = jnp.arange(BATCH * SEQ).reshape(BATCH, SEQ) % 2
GIVEN = {
    "memory": (VECTORS, -VECTORS),
    "x0": (VECTORS, -VECTORS),
    "tokens": (IDS, 1 - IDS),
    "condition": (VECTORS[:, 0], -VECTORS[:, 0]),
    "token_type_ids": (IDS, 1 - IDS),
    "extras": ({"own": VECTORS}, {"own": -VECTORS}),
}
MODELS = [case for case in CASES if isinstance(case.block, (Model, EncoderDecoder, MultiTokenLM))]


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("case", MODELS, ids=str)
def test_a_model_refuses_what_none_of_its_parts_reads(case: Case, name: str) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    if isinstance(case.block, EncoderDecoder) and name == "memory":
        arguments = (arguments[0], None)  # memory comes in the place of the source
    results = []
    refused = ""
    try:
        results = [run(case, variables, arguments, Context(**{name: x})) for x in GIVEN[name]]
    except ValueError as error:
        refused = str(error)
    read = bool(results) and not np.array_equal(*results)
    assert read or f"no part of {type(case.block).__name__} reads it" in refused


READERS = [case for case in CASES if case.caches and find(case.block, CrossAttention)]


@pytest.mark.parametrize("name", ["memory_valid", "memory_segment_ids"])
@pytest.mark.parametrize("case", READERS, ids=str)
def test_later_calls_refuse_a_part_of_the_memory_alone(case: Case, name: str) -> None:
    """The cache keeps the memory of the first call, and another padding would be dropped."""
    arguments = case.arguments()
    length = case.memory or arguments[1].shape[1]
    ones = jnp.ones((BATCH, length), bool if name == "memory_valid" else jnp.int32)
    first = Context(cache_size=2 * SEQ, memory_valid=ones.astype(bool))
    _, cache = run(case, case.init(*arguments), arguments, first, mutable=["cache"])
    variables = {**case.init(*arguments), **cache}
    no_source = (None,) * (len(arguments) - 1)
    later = Context(cache_size=2 * SEQ, **{name: ones})
    with pytest.raises(ValueError, match=rf"{name} is given without memory.*leave {name} out"):
        case.block.apply(variables, arguments[0], *no_source, later, mutable=["cache"])
