"""Poolers and classifiers: what they leave out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    MLP,
    ClassifierHead,
    Context,
    CrossAttention,
    Encoder,
    LMHead,
    MeanPool,
    MultiHeadAttention,
)
from blocks.heads import (
    AttentionPool,
    DensePool,
    FirstToken,
    LastToken,
    MarkedToken,
    MultiHeadPool,
    PooledHead,
    Pooler,
)

X = normal(0, (2, 5, 4))
MULTI = MultiHeadPool(attention=CrossAttention(num_heads=2), mlp=MLP(hidden=3))
POOLERS = [LastToken(), MeanPool(), AttentionPool(), DensePool(pool=MeanPool()), MULTI]
VALID = jnp.array([[True, True, True, False, False], [False, True, True, True, True]])


@pytest.mark.parametrize("pool", POOLERS, ids=repr)
def test_padding_is_left_out(pool: Pooler) -> None:
    variables = drawn_variables(pool, X, seed=1)
    got = jitted(pool, variables, X, Context(valid=VALID))
    for row, real in enumerate([X[:1, :3], X[1:, 1:]]):
        np.testing.assert_allclose(got[row], jitted(pool, variables, real)[0], rtol=1e-5)


def test_the_first_real_token_is_taken() -> None:
    got = jitted(FirstToken(), {}, X, Context(valid=VALID))
    np.testing.assert_array_equal(got, jnp.stack([X[0, 0], X[1, 1]]))


def test_the_first_real_tokens_are_left_out_of_a_mean() -> None:
    got = jitted(MeanPool(skip=2), {}, X, Context(valid=VALID))
    np.testing.assert_allclose(got, jnp.stack([X[0, 2], X[1, 3:].mean(axis=0)]), rtol=1e-6)


@pytest.mark.parametrize("pool", [FirstToken(), LastToken(), MeanPool(), AttentionPool()], ids=repr)
def test_documents_of_one_row_are_not_mixed(pool: Pooler) -> None:
    with pytest.raises(ValueError, match="would mix its documents"):
        pool.init(jax.random.key(1), X, Context(segment_ids=jnp.zeros((2, 5), jnp.int32)))


@pytest.mark.parametrize("pool", [MeanPool(), AttentionPool()], ids=repr)
def test_a_row_of_padding_gives_zeros(pool: Pooler) -> None:
    variables, context = drawn_variables(pool, X, seed=1), Context(valid=jnp.zeros((2, 5), bool))
    np.testing.assert_array_equal(jitted(pool, variables, X, context), jnp.zeros((2, 4)))


def test_a_vector_of_length_one_and_one_of_zeros() -> None:
    rows = jnp.array([[[3.0, 4.0]], [[0.0, 0.0]]])
    got = jitted(PooledHead(normalize=True), {}, rows)
    np.testing.assert_allclose(got, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


def test_padding_of_another_shape_is_refused() -> None:
    with pytest.raises(TypeError, match="argument `valid`"):
        MeanPool().apply({}, X, Context(valid=VALID[:, :3]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ClassifierHead(num_classes=0), "num_classes=0 must be at least 1"),
        (lambda: ClassifierHead(num_classes=2, dropout_rate=-0.1), "dropout_rate=-0.1 must be"),
        (lambda: PooledHead(features=0), "features=0 must be at least 1, or None"),
        (
            lambda: MultiHeadPool(attention=MultiHeadAttention(num_heads=2)),
            "does not read the tokens, which are its memory",
        ),
        (
            lambda: MultiHeadPool(attention=CrossAttention(num_heads=2, dropout_rate=0.5)),
            "dropout_rate=0.5 of CrossAttention: a pooler has no dropout",
        ),
        (lambda: MeanPool(skip=-1), "skip=-1 must be at least 0"),
        (lambda: LMHead(tied=True, logit_cap=0.0), "logit_cap=0.0 must be positive, or None"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_highest_id_marks_where_none_is_given() -> None:
    x = jnp.arange(6.0).reshape(1, 3, 2)
    got = jitted(MarkedToken(), {}, x, Context(tokens=jnp.array([[4, 7, 7]])))
    np.testing.assert_array_equal(got, x[:, 1])


def test_a_mark_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="the context has no tokens"):
        MarkedToken(token_id=1).apply({}, jnp.ones((1, 2, 3)))


def test_an_encoder_of_vectors_cannot_look_for_a_mark() -> None:
    deaf = Encoder(embed=None, stack=MLP(hidden=4), head=PooledHead(pool=MarkedToken()))
    with pytest.raises(ValueError, match="call the Encoder that it stands in with token ids"):
        deaf.init(jax.random.key(0), jnp.ones((1, 2, 3)))
