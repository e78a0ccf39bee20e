"""Types and bigrams: what they read of a call, and that no way to cut a text changes them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted

from blocks import Context, TokenEmbedding, TokenTypes, checked
from blocks.embeddings import BigramHash

TOKENS = jnp.array([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])
PAIRS = BigramHash(num_buckets=50, features=4)


def test_types_choose_rows_of_the_table() -> None:
    types, block = jnp.array([[0, 0, 1, 1, 2]] * 2), TokenTypes(num_types=3, features=4)
    got, variables = block.init_with_output(
        jax.random.key(0), TOKENS, Context(token_type_ids=types)
    )
    np.testing.assert_array_equal(got, variables["params"]["embedding"][types])


def test_a_type_that_there_is_not_is_refused() -> None:
    block, context = TokenTypes(num_types=2, features=4), Context(token_type_ids=TOKENS)
    message = "context.token_type_ids from 1 to 9 do not fit num_types=2"
    with pytest.raises(ValueError, match=message):
        block.init(jax.random.key(0), TOKENS, context)
    variables = drawn_variables(block, TOKENS)
    with pytest.raises(ValueError, match=message):
        checked(block.apply)(variables, TOKENS, context)


def test_types_of_another_shape_are_refused() -> None:
    with pytest.raises(TypeError, match="argument `token_type_ids` of context"):
        TokenTypes(num_types=2, features=4).init(
            jax.random.key(0), TOKENS, Context(token_type_ids=TOKENS[:, :2])
        )


@pytest.mark.parametrize("sizes", [(5,), (1, 4), (2, 0, 3), (1, 1, 1, 1, 1)])
def test_bigrams_are_the_same_however_a_text_is_cut(sizes: tuple[int, ...]) -> None:
    whole, variables = PAIRS.init_with_output(jax.random.key(0), TOKENS)
    cache, parts, start = {}, [], 0
    for size in sizes:
        part, changed = jitted(
            PAIRS,
            {**variables, **cache},
            TOKENS[:, start : start + size],
            Context(cache_size=5),
            mutable=["cache"],
        )
        cache, start = changed, start + size
        parts.append(part)
    np.testing.assert_array_equal(jnp.concatenate(parts, axis=1), whole)


def test_bigrams_skip_padding_and_stay_in_their_document() -> None:
    whole, variables = PAIRS.init_with_output(jax.random.key(0), TOKENS)
    padded = jnp.array([[7, 7, 3, 1, 7, 4, 1, 5]])
    valid = jnp.array([[False, False, True, True, False, True, True, True]])
    got = jitted(PAIRS, variables, padded, Context(valid=valid))
    np.testing.assert_array_equal(got[0][valid[0]], whole[0])
    segment_ids = jnp.array([[0, 0, 1, 1, 1]])
    split = jitted(PAIRS, variables, TOKENS[:1], Context(segment_ids=segment_ids))
    np.testing.assert_array_equal(split[0, :2], whole[0, :2])
    alone = jitted(PAIRS, variables, TOKENS[:1, 2:])
    np.testing.assert_array_equal(split[0, 2:], alone[0])


def test_the_first_token_has_a_bucket_of_its_own() -> None:
    got, variables = PAIRS.init_with_output(jax.random.key(0), TOKENS)
    table = variables["params"]["embedding"]
    np.testing.assert_array_equal(got[:, 0], jnp.stack([table[0]] * 2))
    rest = np.asarray(got[:, 1:]).reshape(-1, 4)
    assert not any((row == np.asarray(table[0])).all() for row in rest)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TokenTypes(num_types=0, features=4), "num_types=0 must be at least 1"),
        (lambda: BigramHash(num_buckets=1, features=4), "num_buckets=1 must be at least 2"),
        (lambda: BigramHash(num_buckets=2, features=0), "features=0 must be at least 1"),
        (lambda: TokenEmbedding(vocab_size=0, features=4), "vocab_size=0 must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
