"""Cross-attention: what it reads, what it keeps, and what it refuses."""

import chex
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    Context,
    CrossAttention,
    MultiHeadAttention,
    RoPE,
    ValueEmbedding,
    ValueResidual,
)

X = normal(0, (2, 5, 8))
MEMORY = normal(1, (2, 3, 6))
BLOCK = CrossAttention(num_heads=2)
VARIABLES = drawn_variables(BLOCK, X, Context(memory=MEMORY), seed=2)


def test_its_own_sequence_as_memory_is_self_attention() -> None:
    itself = MultiHeadAttention(num_heads=2, position=RoPE())
    variables = drawn_variables(itself, X, seed=3)
    across = CrossAttention(num_heads=2, position=RoPE())
    chex.assert_trees_all_close(
        jitted(across, variables, X, Context(memory=X)), jitted(itself, variables, X), atol=1e-6
    )


def test_padding_of_the_memory_is_not_read() -> None:
    junk = jnp.full((2, 2, 6), 1e3)
    padded = Context(
        memory=jnp.concatenate([MEMORY, junk], axis=1),
        memory_valid=jnp.arange(5)[None].repeat(2, axis=0) < 3,
    )
    chex.assert_trees_all_close(
        jitted(BLOCK, VARIABLES, X, padded),
        jitted(BLOCK, VARIABLES, X, Context(memory=MEMORY)),
        atol=1e-6,
    )


def test_a_memory_that_is_all_padding_gives_the_output_bias() -> None:
    empty = Context(memory=MEMORY, memory_valid=jnp.zeros((2, 3), bool))
    bias = VARIABLES["params"]["out"]["bias"]
    chex.assert_trees_all_equal(
        jitted(BLOCK, VARIABLES, X, empty), jnp.broadcast_to(bias[None, None], X.shape)
    )


def test_documents_are_asked_for_where_a_kept_memory_has_them() -> None:
    documents = jnp.zeros((2, 5), jnp.int32)
    first = Context(
        cache_size=9, memory=MEMORY, segment_ids=documents, memory_segment_ids=documents[:, :3]
    )
    _, cache = jitted(BLOCK, VARIABLES, X, first, mutable=["cache"])
    with pytest.raises(ValueError, match="segment_ids of the call are missing"):
        BLOCK.apply({**VARIABLES, **cache}, X, Context(cache_size=9), mutable=["cache"])


def test_a_memory_that_is_given_is_read() -> None:
    _, cache = jitted(BLOCK, VARIABLES, X, Context(cache_size=9, memory=MEMORY), mutable=["cache"])
    again = Context(cache_size=9, memory=2 * MEMORY)
    y, _ = jitted(BLOCK, {**VARIABLES, **cache}, X, again, mutable=["cache"])
    chex.assert_trees_all_close(
        y, jitted(BLOCK, VARIABLES, X, Context(memory=2 * MEMORY)), atol=1e-6
    )


def test_the_padding_of_a_kept_memory_is_not_given_again() -> None:
    _, cache = jitted(BLOCK, VARIABLES, X, Context(cache_size=9, memory=MEMORY), mutable=["cache"])
    later = Context(cache_size=9, memory_valid=jnp.array([[True, False, False]] * 2))
    with pytest.raises(ValueError, match="memory_valid is given without memory"):
        BLOCK.apply({**VARIABLES, **cache}, X, later, mutable=["cache"])


def test_a_cache_keeps_the_memory_of_the_first_call() -> None:
    whole = jitted(BLOCK, VARIABLES, X, Context(memory=MEMORY))
    first, cache = jitted(
        BLOCK, VARIABLES, X[:, :2], Context(cache_size=9, memory=MEMORY), mutable=["cache"]
    )
    rest, _ = jitted(
        BLOCK, {**VARIABLES, **cache}, X[:, 2:], Context(cache_size=9), mutable=["cache"]
    )
    chex.assert_trees_all_close(jnp.concatenate([first, rest], axis=1), whole, atol=1e-6)


def test_the_memory_is_projected_once() -> None:
    _, cache = jitted(BLOCK, VARIABLES, X, Context(cache_size=9, memory=MEMORY), mutable=["cache"])
    without = {name: VARIABLES["params"][name] for name in ("query", "out")}
    again = jitted(
        BLOCK, {"params": without, **cache}, X, Context(cache_size=9), mutable=["cache"]
    )[0]
    np.testing.assert_allclose(
        again, jitted(BLOCK, VARIABLES, X, Context(memory=MEMORY)), atol=1e-6
    )


def test_a_cache_counts_the_tokens_that_read_it() -> None:
    """Positions go on from call to call: the rotation would differ otherwise."""
    block = CrossAttention(num_heads=2, position=RoPE())
    context = Context(cache_size=9, memory=MEMORY)
    whole = jitted(block, VARIABLES, X, Context(memory=MEMORY))
    first, cache = jitted(block, VARIABLES, X[:, :2], context, mutable=["cache"])
    rest, _ = jitted(block, {**VARIABLES, **cache}, X[:, 2:], context, mutable=["cache"])
    chex.assert_trees_all_close(jnp.concatenate([first, rest], axis=1), whole, atol=1e-6)


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nothing to read; call with Context\(memory=\.\.\.\)"):
        BLOCK.apply(VARIABLES, X)


def test_a_memory_of_another_batch_is_refused() -> None:
    match = r"argument `memory`.*\n.*batch memory_seq memory_embed.*\n  actual:   f32\[1,3,6\]"
    with pytest.raises(TypeError, match=match):
        BLOCK.apply(VARIABLES, X, Context(memory=MEMORY[:1]))


def test_a_mark_of_padding_that_does_not_fit_the_memory_is_refused() -> None:
    with pytest.raises(TypeError, match=r"argument `memory_valid`.*\n.*\n  actual:   bool\[2,5\]"):
        BLOCK.apply(VARIABLES, X, Context(memory=MEMORY, memory_valid=jnp.ones((2, 5), bool)))


@pytest.mark.parametrize("transform", [ValueResidual(), ValueEmbedding(vocab_size=5)])
def test_values_of_the_memory_are_not_mixed_with_those_of_other_tokens(
    transform: ValueResidual | ValueEmbedding,
) -> None:
    """Where memory and tokens are as many, nothing else would tell."""
    with pytest.raises(ValueError, match=rf"{type(transform).__name__} has something for the"):
        CrossAttention(num_heads=2, values=(transform,))
