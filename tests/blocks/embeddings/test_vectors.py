"""Embeddings of vectors, and an encoder that shares its decoder's table by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted

from blocks import (
    MLP,
    Causal,
    CausalLM,
    Context,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LearnedPositions,
    LMHead,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    override,
)
from blocks.embeddings import VectorEmbedding

PLACES = 100.0 * jnp.arange(12.0).reshape(3, 4)
EMBED = VectorEmbedding(position=LearnedPositions(max_length=3), embedding_scale=2.0)
VARIABLES = {"params": {"position": {"embedding": PLACES}}}
X = jnp.arange(24.0).reshape(2, 3, 4)


def test_vectors_are_scaled_before_positions_are_added() -> None:
    got = jitted(EMBED, VARIABLES, X)
    np.testing.assert_array_equal(got[1, 2], 2.0 * X[1, 2] + PLACES[2])


def test_positions_pass_over_padding() -> None:
    valid = jnp.array([[False, True, True], [True, True, True]])
    got = jitted(EMBED, VARIABLES, X, Context(valid=valid))
    np.testing.assert_array_equal(got[0, 2], 2.0 * X[0, 2] + PLACES[1])


def test_a_rate_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dropout_rate=1\.0 must be at least 0 and below 1\."):
        VectorEmbedding(dropout_rate=1.0)


def layer(*, decodes: bool) -> Stack:
    mask = Causal() if decodes else None
    block = TransformerBlock(
        attention=MultiHeadAttention(num_heads=2, mask=mask),
        cross_attention=CrossAttention(num_heads=2) if decodes else None,
        mlp=MLP(hidden=8),
    )
    return Stack(block=block, depth=1)


WORDS = TokenEmbedding(vocab_size=5, features=4, position=LearnedPositions(max_length=3))
BART = EncoderDecoder(
    encoder=Encoder(embed=EMBED, stack=layer(decodes=False)),
    decoder=CausalLM(embed=WORDS, stack=layer(decodes=True), norm=None, head=LMHead(vocab_size=5)),
)
TOKENS, SOURCE = jnp.array([[1, 2]]), jnp.array([[4, 3, 4]])


def test_an_encoder_shares_the_decoders_table_and_has_its_own_positions() -> None:
    variables = drawn_variables(BART, TOKENS, SOURCE)
    params = variables["params"]
    table = params["decoder"]["embed"]["embedding"]
    assert list(params["encoder"]["embed"]) == ["position"]
    got = BART.apply(variables, SOURCE, method="encode")
    of_vectors = BART.apply(variables, table[SOURCE], method="encode")
    np.testing.assert_array_equal(got, of_vectors)


def test_the_table_learns_from_the_source() -> None:
    variables = drawn_variables(BART, TOKENS, SOURCE)
    grads = jax.jit(jax.grad(lambda v: jnp.square(BART.apply(v, TOKENS, SOURCE)).sum()))(variables)
    learned = jnp.abs(grads["params"]["decoder"]["embed"]["embedding"]).max(axis=1) > 0
    assert learned.tolist() == [False, True, True, True, True]


def test_a_decoder_without_a_table_is_refused() -> None:
    model = override(BART, CausalLM, embed=None)
    with pytest.raises(ValueError, match="has no method `vectors` for it"):
        model.init(jax.random.key(0), TOKENS, SOURCE)


def test_a_token_of_the_source_past_the_vocabulary_is_refused() -> None:
    variables = drawn_variables(BART, TOKENS, SOURCE)
    with pytest.raises(ValueError, match="do not fit vocab_size=5"):
        BART.apply(variables, TOKENS, SOURCE.at[0, 1].set(5))
