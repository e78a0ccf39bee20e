"""Several tokens at each place: what each prediction knows, and where there is none."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables

from blocks import (
    MLP,
    Causal,
    CausalLM,
    Context,
    LMHead,
    MultiHeadAttention,
    MultiTokenLM,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)

VOCAB, SEQ, DEPTH = 7, 5, 2


def layer(mask: Any = Causal()) -> TransformerBlock:
    attention = MultiHeadAttention(num_heads=2, position=RoPE(), mask=mask)
    return TransformerBlock(attention=attention, mlp=MLP(hidden=6), norm=RMSNorm())


MODEL = CausalLM(
    embed=TokenEmbedding(vocab_size=VOCAB, features=4),
    stack=Stack(block=layer(), depth=1),
    norm=RMSNorm(),
    head=LMHead(vocab_size=VOCAB),
)
SEVERAL = MultiTokenLM(model=MODEL, block=layer(), depth=DEPTH)
TOKENS = jnp.array([[1, 2, 3, 6, 0], [0, 5, 4, 1, 1]])


@pytest.fixture(scope="module")
def params() -> Any:
    params = drawn_variables(SEVERAL, TOKENS)["params"]
    # A wider table, so that attention is not near uniform.
    return jax.tree.map(lambda leaf: leaf * (20.0 if leaf.shape == (VOCAB, 4) else 1.0), params)


def logits(params: Any, tokens: jax.Array, context: Context | None = None) -> jax.Array:
    return jax.jit(SEVERAL.apply)({"params": params}, tokens, context)


def test_the_first_prediction_is_the_models_own(params: Any) -> None:
    alone = jax.jit(MODEL.apply)({"params": params["model"]}, TOKENS)
    np.testing.assert_allclose(logits(params, TOKENS)[:, :, 0], alone, rtol=1e-6, atol=1e-6)
    assert sorted(params) == ["ahead_1", "ahead_2", "model"]


def test_embedding_and_head_are_the_models(params: Any) -> None:
    assert sorted(params["ahead_1"]) == [
        "block",
        "hidden_norm",
        "last_norm",
        "projection",
        "token_norm",
    ]

    def last(params: Any) -> jax.Array:
        return SEVERAL.apply({"params": params}, TOKENS)[:, :, DEPTH, 0].sum()

    gradient = jax.jit(jax.grad(last))(params)
    assert gradient["model"]["embed"]["embedding"].any()
    assert gradient["model"]["head"]["kernel"].any()
    assert gradient["ahead_1"]["projection"]["kernel"].any()


def test_a_step_knows_one_token_more_and_none_after_it(params: Any) -> None:
    table = params["model"]["embed"]["embedding"]
    # A token of its own at each place: the gradient of its vector is that of the place.
    tokens = jnp.array([[4, 2, 6, 1, 3]])

    def energy(table: jax.Array) -> jax.Array:
        changed = {**params, "model": {**params["model"], "embed": {"embedding": table}}}
        return jnp.square(SEVERAL.apply({"params": changed}, tokens)[0]).sum(axis=-1)

    influence = np.abs(jax.jit(jax.jacrev(energy))(table))[..., tokens[0], :].sum(axis=-1)
    place, step, source = np.indices(influence.shape)
    known = (source <= place + step) & (place + step < SEQ)
    assert (influence[known] > 0.0).all()
    assert (influence[~known] == 0.0).all()


def test_where_the_token_is_not_known_logits_are_zero(params: Any) -> None:
    zero = (logits(params, TOKENS) == 0.0).all(axis=-1)
    for step in range(1 + DEPTH):
        np.testing.assert_array_equal(zero[:, :, step], np.arange(SEQ)[None] + step >= [[SEQ]] * 2)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing_for_real_tokens(params: Any, side: str) -> None:
    junk = jnp.array([[3, 3], [2, 6]])
    parts = (junk, TOKENS) if side == "left" else (TOKENS, junk)
    real = jnp.arange(SEQ + 2)[None] >= 2 if side == "left" else jnp.arange(SEQ + 2)[None] < SEQ
    valid = jnp.broadcast_to(real, (2, SEQ + 2))
    got = logits(params, jnp.concatenate(parts, axis=1), Context(valid=valid))
    kept = got[:, 2:] if side == "left" else got[:, :SEQ]
    chex.assert_trees_all_close(kept, logits(params, TOKENS), rtol=2e-5, atol=2e-5)


def test_packed_documents_do_not_see_each_other(params: Any) -> None:
    positions, document = jnp.tile(jnp.arange(SEQ), 2)[None], jnp.repeat(jnp.arange(2), SEQ)[None]
    packed = Context(positions=positions, segment_ids=document)
    got = logits(params, TOKENS.reshape(1, -1), packed)
    want = logits(params, TOKENS).reshape(got.shape)
    chex.assert_trees_all_close(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiTokenLM(model=MODEL, block=layer(), depth=0), "depth=0 must be at least 1"),
        (
            lambda: MultiTokenLM(model=MODEL, block=layer(None)),
            r"block\.attention can see ahead \(mask=None\), which a MultiTokenLM must not",
        ),
        (
            lambda: SEVERAL.init(jax.random.key(0), TOKENS, Context(cache_size=4)),
            "cache_size=4: a MultiTokenLM reads whole sequences.*decode with its `model`",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_document_that_comes_back_tells_nothing_of_the_one_between(params: Any) -> None:
    documents = Context(segment_ids=jnp.array([[0, 1, 0, 0, 0]] * 2))
    other = TOKENS.at[:, 1].set((TOKENS[:, 1] + 1) % VOCAB)
    got, want = logits(params, TOKENS, documents), logits(params, other, documents)
    np.testing.assert_array_equal(got[:, 2:], want[:, 2:])


def test_padding_in_the_middle_moves_no_token(params: Any) -> None:
    """Positions are those of the model, whatever a step knows."""
    valid = jnp.array([[True, True, False, True, True]] * 2)
    places = jnp.array([[0, 1, 1, 2, 3]])
    got = logits(params, TOKENS, Context(valid=valid))
    want = logits(params, TOKENS, Context(valid=valid, positions=places))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
