"""The context: where tokens are placed, and what does not fit them."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Block, Causal, Context, MultiHeadAttention, Stack, TransformerBlock
from blocks.context import locate
from blocks.counting import count


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
    at = locate(Context(positions=positions), 2, 3, 5)
    np.testing.assert_array_equal(at.positions, positions)


def test_documents_pass_through() -> None:
    segment_ids = jnp.array([[0, 0, 1]])
    np.testing.assert_array_equal(
        locate(Context(segment_ids=segment_ids), 1, 3).segment_ids, segment_ids
    )


def test_positions_start_anew_in_each_document() -> None:
    at = locate(Context(segment_ids=jnp.array([[4, 4, 4, 2, 2], [1, 2, 3, 3, 3]])), 2, 5)
    np.testing.assert_array_equal(at.positions, [[0, 1, 2, 0, 1], [0, 0, 0, 1, 2]])


def test_padding_inside_a_document_is_not_counted() -> None:
    context = Context(
        valid=jnp.array([[False, True, True, False, True, True]]),
        segment_ids=jnp.array([[0, 5, 5, 0, 5, 6]]),
    )
    positions = np.asarray(locate(context, 1, 6).positions)
    np.testing.assert_array_equal(positions[0, [1, 2, 4, 5]], [0, 1, 2, 0])


def test_documents_go_on_over_calls() -> None:
    at = count(
        4,
        segment_ids=jnp.array([[3, 3, 4, 4], [3, 3, 4, 4]]),
        last_segment=jnp.array([3, 2]),
        num_tokens=jnp.array([10, 10]),
    )
    np.testing.assert_array_equal(at, [[10, 11, 0, 1], [0, 1, 0, 1]])


def test_numpy_arrays_are_taken() -> None:
    assert isinstance(Context(valid=np.ones((1, 2), bool)).valid, jax.Array)


def test_a_block_of_ones_own_is_given_an_array_of_its_own() -> None:
    class Scaled(Block, kw_only=True):
        @nn.compact
        def __call__(
            self, x: jax.Array, context: Context | None = None, deterministic: bool = True
        ) -> jax.Array:
            assert context is not None
            return x * context.extras["volume"][:, None, None]

    stack = Stack(block=TransformerBlock(attention=Scaled(), mlp=Scaled()), depth=2, scan=True)
    context = Context(extras={"volume": jnp.array([0.0, 1.0])})
    x = jnp.arange(24.0).reshape(2, 3, 4)
    variables = stack.init(jax.random.key(0), x, context)
    y = jax.jit(stack.apply)(variables, x, context)
    np.testing.assert_array_equal(y[0], x[0])
    assert (y[1] != x[1]).any()


def test_transformations_may_add_an_axis_to_a_context() -> None:
    contexts = [Context(valid=jnp.ones((2, 3), bool) & real) for real in (True, False)]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *contexts)

    def count(context: Context) -> jax.Array:
        valid = locate(context, 2, 3).valid
        assert valid is not None
        return valid.sum()

    counts = jax.vmap(count)(stacked)
    np.testing.assert_array_equal(counts, [6, 0])


def test_a_context_prints_as_it_is_written() -> None:
    context = Context(valid=jnp.ones((2, 3), bool), cache_size=4)
    assert repr(context) == "Context(valid=bool[2,3], cache_size=4)"
    assert repr(Context()) == "Context()"


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


@pytest.mark.parametrize("extras", [{"kind": "news"}, {3: jnp.ones(2)}], ids=str)
def test_extras_that_are_no_arrays_by_name_are_refused(extras: Any) -> None:
    with pytest.raises(TypeError, match=r"extras=.* must be arrays by name; .* field of"):
        Context(extras=extras)


@pytest.mark.parametrize("name", ["cache_size", "streams"])
@pytest.mark.parametrize("value", [True, np.True_, 4.0, "4", 0], ids=repr)
def test_a_count_that_is_no_whole_number_from_1_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name}={value!r} must be a whole number"):
        Context(**{name: value})


@pytest.mark.parametrize("name", ["cache_size", "streams"])
def test_a_whole_number_of_numpy_counts(name: str) -> None:
    context = Context(**{name: np.int64(4)})
    assert type(getattr(context, name)) is int
    assert repr(context) == f"Context({name}=4)"


def side_by_side(axes: int | None) -> tuple[jax.Array, jax.Array]:
    """Two calls side by side: results mapped by vmap, and one after the other."""
    block, x = MultiHeadAttention(num_heads=2), jnp.arange(48.0).reshape(2, 2, 3, 4) / 48
    valid = jnp.array([[[True, True, False], [True] * 3], [[True] * 3, [False, True, True]]])
    variables = block.init(jax.random.key(0), x[0])
    contexts = [Context(valid=rows) for rows in valid]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *contexts)
    mapped = jax.vmap(block.apply, in_axes=(None, 0, axes))(variables, x, stacked)
    looped = [block.apply(variables, *call) for call in zip(x, contexts, strict=True)]
    return mapped, jnp.stack(looped)


def test_a_context_that_is_not_mapped_over_says_how_to() -> None:
    with pytest.raises(
        TypeError, match=r"`valid` of context does not fit[\s\S]*in_axes=0 for valid"
    ):
        side_by_side(None)
    np.testing.assert_allclose(*side_by_side(0), rtol=1e-5, atol=1e-6)


def test_an_array_for_several_calls_says_how_to_map() -> None:
    positions = jnp.zeros((2, 3, 4), jnp.int32)
    with pytest.raises(TypeError, match=r"fix: .*jax\.vmap, with in_axes=0 for positions"):
        Context(positions=positions)


def test_a_number_in_the_place_of_an_array_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"argument `valid` does not fit[\s\S]*jnp\.asarray\(valid\)"
    ):
        Context(valid=0)  # pyright: ignore[reportArgumentType]


def test_a_mask_in_the_place_of_padding_is_told_from_an_axis_of_vmap() -> None:
    with pytest.raises(TypeError, match=r"fix: .*mask=Causal\(\)"):
        Context(valid=jnp.ones((2, 3, 3), bool))
