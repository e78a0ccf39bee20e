"""The context: where tokens are placed, and what does not fit them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Causal, Context, MultiHeadAttention
from blocks.context import locate


def test_without_a_context_tokens_count_from_zero() -> None:
    at = locate(None, 2, 3)
    np.testing.assert_array_equal(at.order, [[0, 1, 2]])
    np.testing.assert_array_equal(at.positions, [[0, 1, 2]])
    assert at.valid is None
    assert at.segment_ids is None


def test_padding_is_not_counted() -> None:
    valid = jnp.array([[False, False, True, True], [True, True, False, True]])
    at = locate(Context(valid=valid), 2, 4)
    np.testing.assert_array_equal(at.order, [[0, 1, 2, 3]])
    positions = np.asarray(at.positions)
    np.testing.assert_array_equal(positions[0, 2:], [0, 1])
    np.testing.assert_array_equal(positions[1, [0, 1, 3]], [0, 1, 2])
    # Padding gets some position inside the table.
    assert positions.min() >= 0
    assert positions.max() < 4


def test_given_positions_are_taken() -> None:
    positions = jnp.array([[7, 8, 0]])
    at = locate(Context(positions=positions), 2, 3, 5, 5)
    np.testing.assert_array_equal(at.positions, positions)


def test_tokens_after_others_count_on() -> None:
    at = locate(None, 2, 2, length=jnp.int32(4), num_tokens=jnp.array([1, 4]))
    np.testing.assert_array_equal(at.order, [[4, 5]])
    np.testing.assert_array_equal(at.positions, [[1, 2], [4, 5]])


def test_documents_pass_through() -> None:
    segment_ids = jnp.array([[0, 0, 1]])
    np.testing.assert_array_equal(
        locate(Context(segment_ids=segment_ids), 1, 3).segment_ids, segment_ids
    )


@pytest.mark.parametrize(
    ("fields", "expected", "actual"),
    [
        ({"valid": jnp.ones((2, 3), bool)}, "Bool.*'batch seq'", r"bool\[2,3\]"),
        ({"valid": jnp.ones((1, 4), bool)}, "Bool.*'batch seq'", r"bool\[1,4\]"),
        ({"valid": jnp.ones((2, 4), jnp.int32)}, "Bool.*'batch seq'", r"i32\[2,4\]"),
        ({"segment_ids": jnp.zeros(4, jnp.int32)}, "Int.*'batch seq'", r"i32\[4\]"),
        ({"segment_ids": jnp.zeros((2, 4))}, "Int.*'batch seq'", r"f32\[2,4\]"),
        ({"positions": jnp.zeros((3, 4), jnp.int32)}, "Int.*'#batch seq'", r"i32\[3,4\]"),
        ({"positions": jnp.zeros((1, 5), jnp.int32)}, "Int.*'#batch seq'", r"i32\[1,5\]"),
        ({"positions": jnp.zeros((2, 4))}, "Int.*'#batch seq'", r"f32\[2,4\]"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_does_not_fit_the_tokens_is_refused(
    fields: dict[str, Any], expected: str, actual: str
) -> None:
    (name,) = fields
    match = rf"context: argument `{name}`.*\n  expected: {expected}.*\n  actual:   {actual}"
    with pytest.raises(TypeError, match=match):
        locate(Context(**fields), 2, 4)


def test_a_block_refuses_a_context_of_another_shape() -> None:
    block, x = MultiHeadAttention(num_heads=2, mask=Causal()), jnp.ones((2, 4, 4))
    with pytest.raises(TypeError, match=r"`valid` of context.*\n.*\n  actual:   bool\[2,3"):
        block.init(jax.random.key(0), x, Context(valid=jnp.ones((2, 3), bool)))


def test_a_context_is_a_tree_whose_cache_size_is_static() -> None:
    context = Context(valid=jnp.ones((1, 2), bool), cache_size=8)
    assert len(jax.tree.leaves(context)) == 1
    traced = jax.jit(lambda context: jnp.zeros(context.cache_size))(context)
    assert traced.shape == (8,)
