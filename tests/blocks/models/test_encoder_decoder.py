"""Encoder and decoder together: how the source is read, cached and padded."""

import chex
import jax.numpy as jnp
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
    LMHead,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    replace,
)

EMBED = TokenEmbedding(vocab_size=11, features=8)
ENCODER = Encoder(
    embed=None,
    stack=Stack(
        block=TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=MLP(hidden=8)),
        depth=1,
    ),
)
DECODER = CausalLM(
    embed=EMBED,
    stack=Stack(
        block=TransformerBlock(
            attention=MultiHeadAttention(num_heads=2, mask=Causal()),
            cross_attention=CrossAttention(num_heads=2),
            mlp=MLP(hidden=8),
        ),
        depth=2,
    ),
    norm=None,
    head=LMHead(tied=True),
)
MODEL = EncoderDecoder(encoder=ENCODER, decoder=DECODER)
TOKENS = jnp.array([[1, 2, 3, 4], [5, 6, 7, 8]])
SOURCE = jnp.array([[9, 8, 7], [3, 2, 1]])
VARIABLES = drawn_variables(MODEL, TOKENS, SOURCE)


def test_an_encoder_without_an_embedding_shares_the_decoders() -> None:
    params = VARIABLES["params"]
    assert "embed" not in params["encoder"]
    assert params["decoder"]["embed"]["embedding"].shape == (11, 8)
    own = Encoder(embed=EMBED, stack=ENCODER.stack)
    both = drawn_variables(EncoderDecoder(encoder=own, decoder=DECODER), TOKENS, SOURCE)["params"]
    assert both["encoder"]["embed"]["embedding"].shape == (11, 8)


def test_every_token_of_the_source_matters_to_every_token() -> None:
    before = jitted(MODEL, VARIABLES, TOKENS, SOURCE)
    for place in range(3):
        after = jitted(MODEL, VARIABLES, TOKENS, SOURCE.at[:, place].set(0))
        assert (jnp.abs(after - before).max(axis=-1) > 1e-4).all()


def test_the_memory_may_be_made_once_and_given() -> None:
    memory = MODEL.apply(VARIABLES, SOURCE, method="encode")
    chex.assert_trees_all_close(
        jitted(MODEL, VARIABLES, TOKENS, None, Context(memory=memory)),
        jitted(MODEL, VARIABLES, TOKENS, SOURCE),
        atol=1e-6,
    )


def test_padding_of_the_source_changes_nothing() -> None:
    padded = jnp.concatenate([SOURCE, jnp.zeros((2, 2), SOURCE.dtype)], axis=1)
    context = Context(memory_valid=jnp.broadcast_to(jnp.arange(5)[None] < 3, (2, 5)))
    chex.assert_trees_all_close(
        jitted(MODEL, VARIABLES, TOKENS, padded, context),
        jitted(MODEL, VARIABLES, TOKENS, SOURCE),
        atol=1e-5,
    )


def test_decoding_reads_the_source_at_the_first_call_only() -> None:
    whole = jitted(MODEL, VARIABLES, TOKENS, SOURCE)
    context, cache, outputs = Context(cache_size=4), {}, []
    for place in range(4):
        logits, cache = jitted(
            MODEL,
            {**VARIABLES, **cache},
            TOKENS[:, place : place + 1],
            SOURCE if place == 0 else None,
            context,
            mutable=["cache"],
        )
        outputs.append(logits)
    chex.assert_trees_all_close(jnp.concatenate(outputs, axis=1), whole, atol=1e-5)


DOCUMENTS = jnp.array([[1, 1, 2, 2]])
PACKED = Context(segment_ids=DOCUMENTS, memory_segment_ids=jnp.array([[1, 1, 1, 2, 2, 2]]))


def test_a_document_does_not_read_the_source_of_another() -> None:
    tokens, source = TOKENS[:1], SOURCE.reshape(1, 6)
    before = jitted(MODEL, VARIABLES, tokens, source, PACKED)
    after = jitted(MODEL, VARIABLES, tokens, source.at[:, 3:].set(0), PACKED)
    chex.assert_trees_all_equal(before[:, :2], after[:, :2])
    assert (jnp.abs(after - before)[:, 2:].max(axis=-1) > 1e-4).all()


def test_documents_packed_together_are_what_they_are_alone() -> None:
    packed = jitted(MODEL, VARIABLES, TOKENS[:1], SOURCE.reshape(1, 6), PACKED)
    alone = jitted(MODEL, VARIABLES, TOKENS[0].reshape(2, 2), SOURCE)
    chex.assert_trees_all_close(packed.reshape(alone.shape), alone, atol=1e-5)


def test_a_cached_source_keeps_its_documents() -> None:
    tokens, source = TOKENS[:1], SOURCE.reshape(1, 6)
    cache, outputs = {}, []
    for place in range(4):
        context = Context(cache_size=4, segment_ids=DOCUMENTS[:, place : place + 1])
        if place == 0:
            context = context.replace(memory_segment_ids=PACKED.memory_segment_ids)
        logits, cache = jitted(
            MODEL,
            {**VARIABLES, **cache},
            tokens[:, place : place + 1],
            source if place == 0 else None,
            context,
            mutable=["cache"],
        )
        outputs.append(logits)
    whole = jitted(MODEL, VARIABLES, tokens, source, PACKED)
    chex.assert_trees_all_close(jnp.concatenate(outputs, axis=1), whole, atol=1e-5)


def test_documents_of_the_source_are_asked_for() -> None:
    with pytest.raises(ValueError, match="give memory_segment_ids too"):
        MODEL.apply(VARIABLES, TOKENS, SOURCE, Context(segment_ids=TOKENS))


def test_no_source_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to read"):
        MODEL.apply(VARIABLES, TOKENS)


def test_a_decoder_that_would_not_read_the_source_is_refused() -> None:
    deaf = TransformerBlock(
        attention=MultiHeadAttention(num_heads=2, mask=Causal()), mlp=MLP(hidden=8)
    )
    alone = replace(DECODER, TransformerBlock, lambda old: deaf)
    with pytest.raises(ValueError, match=r"no layer of decoder\.stack reads the source; give its"):
        EncoderDecoder(encoder=ENCODER, decoder=alone)
