"""Choosing rows of all caches: every kind, loop and scan, goes on as the chosen row would."""

import chex
import jax
import jax.numpy as jnp
import pytest
from drawn_by_numpy import drawn_variables, normal

from blocks import (
    MLP,
    Causal,
    CausalLM,
    Context,
    CrossAttention,
    Int8Cache,
    KeyValueCache,
    LMHead,
    MultiHeadAttention,
    RingCache,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.caches import Cache, Int8RingCache, select_rows

ROWS = jnp.array([2, 0, 2])
PROMPT = jnp.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
NEXT = jnp.array([[3], [1], [2]])
MEMORY = normal(1, (3, 4, 8))


CACHES = [RingCache(), KeyValueCache(), Int8Cache(), Int8RingCache()]
# In a scan the arrays of a cache have one axis more, whatever they are.
SCANNED = [
    pytest.param(cache, True, marks=[pytest.mark.slow, pytest.mark.further] if others else [])
    for others, cache in enumerate(CACHES)
]


@pytest.mark.parametrize(("cache", "scan"), [*((one, False) for one in CACHES), *SCANNED], ids=repr)
def test_a_chosen_row_goes_on_as_it_would_have(cache: Cache, scan: bool) -> None:
    window = Causal() & SlidingWindow(2)
    layer = TransformerBlock(
        attention=MultiHeadAttention(num_heads=2, mask=window, position=RoPE(), cache=cache),
        cross_attention=CrossAttention(num_heads=2),
        mlp=MLP(hidden=8),
    )
    model = CausalLM(
        embed=TokenEmbedding(vocab_size=11, features=8),
        stack=Stack(block=layer, depth=2, scan=scan),
        norm=None,
        head=LMHead(tied=True),
    )
    # The first token of row 1 is padding: rows differ in how many tokens they have seen.
    valid = jnp.ones((3, 3), bool).at[1, 0].set(False)
    prompt = Context(cache_size=5, memory=MEMORY, valid=valid)
    variables = drawn_variables(model, PROMPT, Context(memory=MEMORY))

    @jax.jit
    def call(variables: dict, tokens: jax.Array, context: Context) -> tuple[jax.Array, dict]:
        return model.apply(variables, tokens, context, mutable=["cache"])

    def begin(rows: jax.Array) -> dict:
        own = prompt.replace(memory=MEMORY[rows], valid=valid[rows])
        return call(variables, PROMPT[rows], own)[1]

    chosen = {"cache": select_rows(begin(jnp.arange(3))["cache"], ROWS)}
    chex.assert_trees_all_close(chosen, begin(ROWS), atol=1e-6)
    goes_on, would_have = (
        call({**variables, **kept}, NEXT, Context(cache_size=5))[0]
        for kept in (chosen, begin(ROWS))
    )
    chex.assert_trees_all_close(goes_on, would_have, atol=1e-5)


def test_rows_may_become_fewer() -> None:
    cache = {"key_value": KeyValueCache().start(3, 4, 1, 2, 2, jnp.float32)}
    assert select_rows(cache, jnp.array([1]))["key_value"].num_tokens.shape == (1,)


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_that_is_not_there_is_refused(row: int) -> None:
    cache = {"key_value": KeyValueCache().start(3, 4, 1, 2, 2, jnp.float32)}
    with pytest.raises(ValueError, match=rf"rows from {row} to {row} do not fit a batch of 3"):
        select_rows(cache, jnp.array([row]))
