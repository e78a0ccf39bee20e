"""The factorised embedding: what is added where, and what its methods give."""

import jax
import jax.numpy as jnp
import numpy as np

from blocks import (
    MLP,
    Context,
    Encoder,
    FactorizedEmbedding,
    LearnedPositions,
    LMHead,
    TokenEmbedding,
)
from blocks.heads import ProjectedHead

TABLE = np.arange(10.0, dtype=np.float32).reshape(5, 2)
KERNEL = np.array([[1.0, 0.0, 2.0], [0.0, -1.0, 3.0]], np.float32)
BIAS = np.array([10.0, 20.0, 30.0], np.float32)
PLACES = 100.0 * np.arange(12.0, dtype=np.float32).reshape(4, 3)
TOKENS = np.array([[3, 0], [4, 1]])
PARAMS = {"embed": {"embedding": TABLE}, "projection": {"kernel": KERNEL, "bias": BIAS}}


def embedding(**fields):
    return FactorizedEmbedding(embed=TokenEmbedding(vocab_size=5, features=2), features=3, **fields)


def test_a_token_s_row_is_mapped() -> None:
    got = embedding().apply({"params": PARAMS}, TOKENS)
    np.testing.assert_array_equal(got, TABLE[TOKENS] @ KERNEL + BIAS)


def test_positions_are_added_at_the_width_of_the_model() -> None:
    embed = embedding(position=LearnedPositions(max_length=4))
    variables = {"params": PARAMS | {"position": {"embedding": PLACES}}}
    got = embed.apply(variables, TOKENS, Context(positions=jnp.array([[2, 1]])))
    np.testing.assert_array_equal(got, TABLE[TOKENS] @ KERNEL + BIAS + PLACES[np.array([2, 1])])


def test_positions_count_on_over_the_calls_of_a_cache() -> None:
    embed = embedding(position=LearnedPositions(max_length=4))
    variables = {"params": PARAMS | {"position": {"embedding": PLACES}}}
    context = Context(cache_size=4)
    _, state = embed.apply(variables, TOKENS, context, mutable=["cache"])
    got, _ = embed.apply(variables | state, TOKENS, context, mutable=["cache"])
    np.testing.assert_array_equal(got, TABLE[TOKENS] @ KERNEL + BIAS + PLACES[2:])


def test_vectors_are_mapped_and_the_table_is_narrow() -> None:
    embed = embedding(position=LearnedPositions(max_length=4))
    vectors = embed.apply({"params": PARAMS}, TOKENS, method="vectors")
    np.testing.assert_array_equal(vectors, TABLE[TOKENS] @ KERNEL + BIAS)
    np.testing.assert_array_equal(embed.apply({"params": PARAMS}, method="table"), TABLE)


def test_a_head_is_tied_through_the_narrow_width() -> None:
    head = ProjectedHead(head=LMHead(tied=True), features=2, use_bias=False)
    same = MLP(hidden=3, activation=lambda x: x, use_bias=False)
    model = Encoder(embed=embedding(), stack=same, head=head)
    out = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    stack = {"up": {"kernel": np.eye(3)}, "down": {"kernel": np.eye(3)}}
    params = {"embed": PARAMS, "stack": stack, "head": {"dense": {"kernel": out}}}
    logits = model.apply({"params": params}, TOKENS)
    want = (TABLE[TOKENS] @ KERNEL + BIAS) @ out @ TABLE.T
    np.testing.assert_allclose(logits, want, rtol=1e-6)


def test_the_map_is_drawn_apart_from_the_table() -> None:
    shapes = jax.tree.map(jnp.shape, embedding(use_bias=False).init(jax.random.key(0), TOKENS))
    assert shapes["params"] == {"embed": {"embedding": (5, 2)}, "projection": {"kernel": (2, 3)}}
