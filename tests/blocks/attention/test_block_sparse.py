"""Block-sparse scores: which keys are hidden, how often the first block counts, where it ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import jitted, normal
from support.attention_inputs import placed

from blocks import ChunkedAttention, Context, MultiHeadAttention, override
from blocks.attention import BlockSparse
from blocks.context import Coordinates, locate

# Blocks of two tokens: the third of them does not see the first but as an end of the text.
SEEN = """
    111111111
    111111111
    rr1111001
    rr1111001
    rr1111111
    rr1111111
    rr0011111
    rr0011111
    111111111
"""


def changed(sparse: BlockSparse, at: Coordinates) -> np.ndarray:
    seq = at.order.shape[1]
    scores = jnp.zeros((1, 1, seq, seq))
    return np.asarray(sparse.modify(scores, sparse.parameters(1, placed(at)), at, at))[0, 0]


def test_a_block_sees_its_neighbours_and_both_ends() -> None:
    got = changed(BlockSparse(size=2, repeats=3), locate(None, 1, 9))
    for row, line in enumerate(SEEN.split()):
        for key, mark in enumerate(line):
            want = {"1": 0.0, "r": np.log(4.0)}.get(mark)
            if want is None:
                assert np.exp(got[row, key]) == 0.0, (row, key)
            else:
                np.testing.assert_allclose(got[row, key], want, rtol=1e-6, err_msg=f"{row, key}")


def test_short_texts_are_whole() -> None:
    sparse = BlockSparse(size=2, repeats=3, whole=9)
    assert (changed(sparse, locate(None, 1, 9)) == 0.0).all()
    assert (changed(sparse, locate(None, 1, 10)) != 0.0).any()


def test_documents_end_where_they_end() -> None:
    sparse = BlockSparse(size=2)
    packed = Context(segment_ids=jnp.array([[0] * 9 + [1] * 7]))
    got = changed(sparse, locate(packed, 1, 16))
    np.testing.assert_array_equal(got[:9, :9], changed(sparse, locate(None, 1, 9)))
    np.testing.assert_array_equal(got[9:, 9:], changed(sparse, locate(None, 1, 7)))


@pytest.mark.parametrize("chunk", [2, 3])
def test_chunks_give_what_all_scores_give(chunk: int) -> None:
    x = normal(0, (2, 11, 8))
    context = Context(valid=jnp.arange(11)[None] < jnp.array([[11], [7]]))
    attention = MultiHeadAttention(num_heads=2, scores=(BlockSparse(size=2, repeats=1),))
    whole, variables = jax.jit(attention.init_with_output)(jax.random.key(1), x, context)
    kernel = ChunkedAttention(query_chunk=chunk, key_chunk=chunk)
    chunked = jitted(override(attention, implementation=kernel), variables, x, context)
    np.testing.assert_allclose(chunked, whole, atol=1e-6)
