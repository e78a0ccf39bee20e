"""Transient global attention: which block a token is in, and whom its summary reaches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import ChunkedAttention, Context, MultiHeadAttention, SlidingWindow, override
from blocks.attention import TransientGlobalAttention
from blocks.attention.transient_global import blocks_of
from blocks.context import locate

ATTENTION = TransientGlobalAttention(num_heads=2, size=3, mask=SlidingWindow(2))
X = normal(0, (2, 11, 8))


def members(context: Context, seq: int, size: int) -> list[list[int]]:
    """Tokens of each block that there is, in the first row."""
    blocks = blocks_of(locate(context, 1, seq), size)
    table, real = np.asarray(blocks.member)[0], np.asarray(blocks.at.valid)[0]
    assert not table[:, ~real].any()
    return [np.flatnonzero(column).tolist() for column in table[:, real].T]


def test_what_is_left_joins_the_last_block() -> None:
    assert members(Context(), 8, 3) == [[0, 1, 2], [3, 4, 5, 6, 7]]
    assert members(Context(), 2, 3) == []


def test_padding_is_in_no_block() -> None:
    valid = jnp.array([[False, False, True, True, True, True, False, False]])
    assert members(Context(valid=valid), 8, 3) == [[2, 3, 4, 5]]


def test_documents_have_blocks_of_their_own() -> None:
    packed = Context(segment_ids=jnp.array([[0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2]]))
    assert members(packed, 12, 3) == [[0, 1, 2, 3], [6, 7, 8], [9, 10, 11]]
    at = blocks_of(locate(packed, 1, 12), 3).at
    assert at.positions[0, :3].tolist() == [0, 0, 1]
    assert at.segment_ids is not None
    assert at.segment_ids[0, :3].tolist() == [0, 2, 2]


def test_a_text_without_a_whole_block_is_attention_in_the_window() -> None:
    variables = drawn_variables(ATTENTION, X, seed=1)
    plain = MultiHeadAttention(num_heads=2, mask=SlidingWindow(2))
    own = {name: leaf for name, leaf in variables["params"].items() if name != "block_norm"}
    np.testing.assert_allclose(
        jitted(ATTENTION, variables, X[:, :2]), jitted(plain, {"params": own}, X[:, :2]), atol=1e-6
    )


@pytest.mark.parametrize("chunk", [2, 5])
def test_chunks_give_what_all_scores_give(chunk: int) -> None:
    context = Context(valid=jnp.arange(11)[None] < jnp.array([[11], [7]]))
    whole, variables = jax.jit(ATTENTION.init_with_output)(jax.random.key(1), X, context)
    kernel = ChunkedAttention(query_chunk=chunk, key_chunk=chunk)
    chunked = jitted(override(ATTENTION, implementation=kernel), variables, X, context)
    np.testing.assert_allclose(chunked, whole, atol=1e-6)
