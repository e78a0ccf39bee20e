"""Token embeddings: rows of the table, positions on top, and ids that are no tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import jitted

from blocks import Context, LearnedPositions, SinusoidalPositions, TokenEmbedding

TABLE = jnp.arange(20.0).reshape(5, 4)
PARAMS = {"params": {"embedding": TABLE}}
TOKENS = jnp.array([[3, 0, 3], [4, 1, 2]])


def test_each_token_gets_its_row() -> None:
    got = jitted(TokenEmbedding(vocab_size=5, features=4), PARAMS, TOKENS)
    for row, t in np.ndindex(2, 3):
        np.testing.assert_array_equal(got[row, t], TABLE[int(TOKENS[row, t])])


def test_positions_are_added_where_tokens_stand() -> None:
    embed = TokenEmbedding(vocab_size=5, features=4, position=LearnedPositions(max_length=3))
    places = 100.0 * jnp.arange(12.0).reshape(3, 4)
    variables = {"params": {"embedding": TABLE, "position": {"embedding": places}}}
    got = jitted(embed, variables, TOKENS)
    np.testing.assert_array_equal(got[0, 2], TABLE[3] + places[2])
    valid = jnp.array([[False, True, True], [True, True, True]])
    padded = jitted(embed, variables, TOKENS, Context(valid=valid))
    np.testing.assert_array_equal(padded[0, 2], TABLE[3] + places[1])
    np.testing.assert_array_equal(padded[1, 2], TABLE[2] + places[2])
    given = jitted(embed, variables, TOKENS, Context(positions=jnp.array([[2, 0, 0]])))
    np.testing.assert_array_equal(given[1, 0], TABLE[4] + places[2])


def test_a_tied_head_sees_the_table() -> None:
    embed = TokenEmbedding(vocab_size=5, features=4)
    np.testing.assert_array_equal(embed.apply(PARAMS, method="table"), TABLE)


def test_the_sum_is_dropped_and_scaled() -> None:
    embed = TokenEmbedding(
        vocab_size=5, features=4, position=SinusoidalPositions(), dropout_rate=0.25
    )
    tokens = jnp.ones((1, 300), jnp.int32)
    kept = jitted(embed, PARAMS, tokens)
    got = jitted(embed, PARAMS, tokens, None, False, rngs={"dropout": jax.random.key(0)})
    zero = np.asarray(got == 0.0)
    assert 0.2 < zero.mean() < 0.3
    np.testing.assert_allclose(got[~zero], (kept / 0.75)[~zero], rtol=1e-5)


def test_dtypes() -> None:
    embed = TokenEmbedding(vocab_size=5, features=4, dtype=jnp.bfloat16, param_dtype=jnp.float16)
    got, variables = embed.init_with_output(jax.random.key(0), TOKENS)
    assert got.dtype == jnp.bfloat16
    assert variables["params"]["embedding"].dtype == jnp.float16


def test_the_table_starts_with_its_deviation() -> None:
    embed = TokenEmbedding(vocab_size=300, features=100)
    table = embed.init(jax.random.key(0), TOKENS)["params"]["embedding"]
    assert float(table.std()) == pytest.approx(0.02, rel=0.02)


def test_no_tokens_give_no_vectors() -> None:
    embed = TokenEmbedding(vocab_size=5, features=4)
    assert jitted(embed, PARAMS, jnp.zeros((2, 0), jnp.int32)).shape == (2, 0, 4)


@pytest.mark.parametrize(
    ("tokens", "low", "high"),
    [([[2, 5]], 2, 5), ([[-1, 3]], -1, 3), ([[9]], 9, 9), ([[-4]], -4, -4)],
)
def test_ids_outside_the_vocabulary_are_refused(
    tokens: list[list[int]], low: int, high: int
) -> None:
    match = rf"token ids from {low} to {high} do not fit vocab_size=5; use the tokenizer that"
    with pytest.raises(ValueError, match=match):
        TokenEmbedding(vocab_size=5, features=4).apply(PARAMS, jnp.array(tokens))


@pytest.mark.parametrize("name", ["vocab_size", "features"])
@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"{name}={size} must be at least 1\."):
        TokenEmbedding(**{"vocab_size": 5, "features": 4, name: size})


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"dropout_rate={rate} must be at least 0 and below 1"):
        TokenEmbedding(vocab_size=5, features=4, dropout_rate=rate)


def test_what_does_not_fit_is_refused_by_name() -> None:
    embed = TokenEmbedding(vocab_size=5, features=4)
    match = r"TokenEmbedding: argument `tokens`.*\n.*batch seq.*\n  actual:   i32\[3\]"
    with pytest.raises(TypeError, match=match):
        embed.apply(PARAMS, TOKENS[0])
    with pytest.raises(TypeError, match=r"argument `tokens`.*\n.*Int.*\n  actual:   f32\[2,3\]"):
        embed.apply(PARAMS, TOKENS.astype(jnp.float32))
