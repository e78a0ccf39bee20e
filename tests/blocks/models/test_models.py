"""The causal language model: its parts in order, tying, and what it refuses."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    MLP,
    AttentionHead,
    Block,
    Causal,
    CausalLM,
    ClassifierHead,
    Context,
    Encoder,
    LayerNorm,
    LearnedPositions,
    Linear,
    LMHead,
    LoRA,
    MaskedLMHead,
    MeanPool,
    MultiHeadAttention,
    MultiTokenLM,
    RMSNorm,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    override,
)
from blocks.carry import Carry

EMBED, VOCAB = 4, 7
TOKENS = jnp.array([[1, 2, 3, 6], [0, 5, 4, 1]])


def layer(mask: Any = Causal()) -> TransformerBlock:
    return TransformerBlock(attention=MultiHeadAttention(num_heads=2, mask=mask), mlp=MLP(hidden=6))


def model(**fields: Any) -> CausalLM:
    parts = {
        "embed": TokenEmbedding(
            vocab_size=VOCAB, features=EMBED, position=LearnedPositions(max_length=8)
        ),
        "stack": Stack(block=layer(), depth=1),
        "norm": LayerNorm(),
        "head": LMHead(tied=True),
    }
    return CausalLM(**{**parts, **fields})


def noisy(lm: CausalLM) -> dict[str, Any]:
    leaves, tree = jax.tree.flatten(jax.eval_shape(lm.init, jax.random.key(0), TOKENS)["params"])
    keys = jax.random.split(jax.random.key(1), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


@pytest.mark.parametrize(("norm", "tied"), [(LayerNorm(), True), (None, False)], ids=str)
def test_is_its_parts_one_after_the_other(norm: nn.Module | None, tied: bool) -> None:
    head = LMHead(tied=True) if tied else LMHead(vocab_size=VOCAB, use_bias=True)
    lm = model(norm=norm, head=head)
    params = noisy(lm)
    assert set(params) == (
        {"embed", "stack"} | ({"norm"} if norm else set()) | (set() if tied else {"head"})
    )
    assert lm.embed is not None
    x = jitted(lm.embed, {"params": params["embed"]}, TOKENS)
    x = jitted(lm.stack, {"params": params["stack"]}, x)
    if norm is not None:
        x = jitted(norm, {"params": params["norm"]}, x)
    table = params["embed"]["embedding"] if tied else None
    want = head.apply({"params": params.get("head", {})}, x, table=table)
    got = jitted(lm, {"params": params}, TOKENS)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_tied_table_learns_from_both_ends() -> None:
    lm = model()
    params = noisy(lm)
    tokens = jnp.zeros((1, 2), jnp.int32)

    def loss(params: Any) -> jax.Array:
        return lm.apply({"params": params}, tokens)[..., 1:].sum()

    gradient = jax.jit(jax.grad(loss))(params)["embed"]["embedding"]
    # Token 0 is looked up, the others only scored: all rows learn.
    assert gradient.any(axis=-1).all()


def test_cached_positions_count_real_tokens_across_calls() -> None:
    lm = model()
    params = noisy(lm)
    call = jax.jit(
        lambda v, t, valid: lm.apply(v, t, Context(valid=valid, cache_size=6), mutable="cache")
    )
    valid = jnp.array([[False, True], [True, True]])
    _, updated = call({"params": params}, TOKENS[:, :2], valid)
    np.testing.assert_array_equal(updated["cache"]["num_tokens"].num_tokens, [1, 2])
    _, updated = call({"params": params, **updated}, TOKENS[:, 2:], jnp.ones((2, 2), bool))
    np.testing.assert_array_equal(updated["cache"]["num_tokens"].num_tokens, [3, 4])
    inner = updated["cache"]["stack"]["layer_0"]["attention"]["key_value"]
    np.testing.assert_array_equal(inner.at.positions[0, 1:4], [0, 1, 2])
    np.testing.assert_array_equal(inner.at.positions[1, :4], [0, 1, 2, 3])


def test_a_text_longer_than_the_positions_is_refused_while_decoding() -> None:
    lm = model(
        embed=TokenEmbedding(
            vocab_size=VOCAB, features=EMBED, position=LearnedPositions(max_length=4)
        )
    )
    params, context = noisy(lm), Context(cache_size=6)
    _, cache = jitted(lm, {"params": params}, TOKENS, context, mutable="cache")
    with pytest.raises(ValueError, match=r"positions from 4 to 4 do not fit max_length=4"):
        lm.apply({"params": params, **cache}, TOKENS[:, :1], context, mutable="cache")


def test_determinism_reaches_every_part() -> None:
    lm = override(model(), dropout_rate=0.5)
    params = noisy(lm)
    got = [
        jitted(lm, {"params": params}, TOKENS, None, False, rngs={"dropout": jax.random.key(seed)})
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(got[0], got[1])
    assert not np.array_equal(got[0], got[2])
    plain = jitted(model(), {"params": params}, TOKENS)
    np.testing.assert_array_equal(jitted(lm, {"params": params}, TOKENS), plain)


def test_logits_are_float32_in_a_bfloat16_model() -> None:
    lm = override(model(), dtype=jnp.bfloat16)
    assert jitted(lm, {"params": noisy(lm)}, TOKENS).dtype == jnp.float32


@pytest.mark.parametrize(
    ("stack", "where"),
    [
        (Stack(block=layer(mask=None), depth=1), r"stack\.block\.attention"),
        (
            Stack(block=(layer(), layer(mask=SlidingWindow(2))), depth=2),
            r"stack\.block_1\.attention",
        ),
        (layer(mask=~Causal()), r"stack\.attention"),
        (AttentionHead(head_dim=EMBED), "stack"),
    ],
    ids=["no_mask", "second_of_two", "not", "itself"],
)
def test_a_layer_that_sees_ahead_is_refused_by_name(stack: nn.Module, where: str) -> None:
    match = rf"^CausalLM: {where} can see ahead \(mask=.*\), which a CausalLM must not; use mask="
    with pytest.raises(ValueError, match=match):
        model(stack=stack)


def test_any_causal_block_is_a_stack() -> None:
    lm = model(stack=AttentionHead(head_dim=EMBED, mask=Causal()), norm=RMSNorm())
    assert jitted(lm, {"params": noisy(lm)}, TOKENS).shape == (2, 4, VOCAB)


def test_what_does_not_fit_is_refused_by_name() -> None:
    lm = model()
    with pytest.raises(TypeError, match=r"CausalLM: argument `tokens`.*\n.*\n  actual:   i32\[4\]"):
        lm.init(jax.random.key(0), TOKENS[0])
    with pytest.raises(TypeError, match=r"CausalLM: argument `tokens`.*\n.*Int.*\n.*f32\[2,4\]"):
        lm.init(jax.random.key(0), TOKENS.astype(jnp.float32))


class Vectors(Block, kw_only=True):
    """An embedding of floats, without a base class or fields."""

    @nn.compact
    def __call__(self, x: Any, context: Any, deterministic: bool) -> Any:
        return Linear(features=(EMBED,), name="project")(x)


class Scores(Block, kw_only=True):
    """A head of one's own."""

    @nn.compact
    def __call__(self, x: Any, context: Any, deterministic: bool) -> Any:
        return Linear(features=(3,), name="scores")(x)


def test_floats_enter_a_causal_model_by_an_embedding_of_ones_own() -> None:
    lm = model(embed=Vectors(), head=Scores())
    signal = normal(0, (2, 5, 6))
    before, variables = lm.init_with_output(jax.random.key(1), signal)
    assert before.shape == (2, 5, 3)
    assert set(variables["params"]) == {"embed", "stack", "norm", "head"}
    after = jitted(lm, variables, signal.at[:, 3].set(0.0))
    np.testing.assert_array_equal(before[:, :3], after[:, :3])


def test_ends_may_be_wrapped_in_an_adapter() -> None:
    lm = model(
        embed=LoRA(block=Vectors(), targets=("project",)),
        head=LoRA(block=Scores(), targets=("scores",)),
    )
    params = drawn_variables(lm, jnp.ones((1, 2, 6)))["params"]
    assert set(params["embed"]["project"]) == {"kernel", "bias", "lora_a", "lora_b"}
    assert set(params["head"]["scores"]) == {"kernel", "bias", "lora_a", "lora_b"}


def test_a_tied_head_under_an_adapter_gets_the_table() -> None:
    head = MaskedLMHead(head=LMHead(tied=True))
    lm, plain = model(head=LoRA(block=head, targets=("dense",))), model(head=head)
    variables = lm.init(jax.random.key(0), TOKENS)
    bare = jax.tree.map(lambda leaf: leaf, variables["params"])
    bare["head"]["dense"] = {name: bare["head"]["dense"][name] for name in ("kernel", "bias")}
    np.testing.assert_array_equal(
        lm.apply(variables, TOKENS), plain.apply({"params": bare}, TOKENS)
    )


def test_a_model_under_an_adapter_stands_where_a_model_does() -> None:
    several = MultiTokenLM(model=LoRA(block=model()), block=layer())
    params = drawn_variables(several, TOKENS)["params"]
    attention = params["model"]["stack"]["layer_0"]["attention"]
    assert "lora_a" in attention["query"]
    assert "lora_a" not in attention["key"]


def test_a_tied_head_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="has no method `table`"):
        model(embed=Vectors()).init(jax.random.key(0), jnp.ones((1, 2, 6)))


def test_an_encoder_with_a_head_is_a_masked_language_model_or_a_classifier() -> None:
    parts = {"embed": TokenEmbedding(vocab_size=VOCAB, features=EMBED), "stack": layer(None)}
    masked = Encoder(**parts, head=MaskedLMHead(head=LMHead(tied=True)))
    classifier = Encoder(**parts, head=ClassifierHead(num_classes=3, pool=MeanPool()))
    logits, _ = masked.init_with_output(jax.random.key(0), TOKENS)
    assert logits.shape == (2, 4, VOCAB)
    context = Context(valid=jnp.array([[True] * 4, [True] * 3 + [False]]))
    variables = drawn_variables(classifier, TOKENS)
    padded = jitted(classifier, variables, TOKENS.at[1, 3].set(0), context)
    np.testing.assert_allclose(padded, jitted(classifier, variables, TOKENS, context), rtol=1e-6)
    assert padded.shape == (2, 3)


def test_a_causal_encoder_counts_positions_over_calls() -> None:
    encoder = Encoder(embed=model().embed, stack=model().stack)
    variables = drawn_variables(encoder, TOKENS)
    cache, outputs = {}, []
    for place in range(4):
        out, cache = jitted(
            encoder,
            {**variables, **cache},
            TOKENS[:, place : place + 1],
            Context(cache_size=4),
            mutable=["cache"],
        )
        outputs.append(out)
    whole = jitted(encoder, variables, TOKENS)
    np.testing.assert_allclose(jnp.concatenate(outputs, axis=1), whole, rtol=1e-5, atol=1e-5)


def test_cached_documents_start_at_position_0() -> None:
    lm, segment_ids = model(), jnp.array([[1, 1, 2, 2], [1, 2, 2, 3]])
    variables = lm.init(jax.random.key(0), TOKENS)
    cache, outputs = {}, []
    for places in (slice(0, 1), slice(1, 3), slice(3, 4)):
        context = Context(cache_size=4, segment_ids=segment_ids[:, places])
        out, cache = lm.apply({**variables, **cache}, TOKENS[:, places], context, mutable=["cache"])
        outputs.append(out)
    whole = lm.apply(variables, TOKENS, Context(segment_ids=segment_ids))
    np.testing.assert_allclose(jnp.concatenate(outputs, axis=1), whole, rtol=1e-5, atol=1e-5)


def test_a_carry_is_left_to_the_stack() -> None:
    with pytest.raises(ValueError, match="starts the carry of its layers"):
        model().init(jax.random.key(0), TOKENS, Context(carry=Carry()))


def test_a_part_in_float32_leaves_the_stream_in_bfloat16() -> None:
    class Wide(Block, kw_only=True):
        def __call__(self, x: jax.Array, *_: Any) -> jax.Array:
            return x.astype(jnp.float32)

    block = TransformerBlock(attention=Wide(), mlp=Wide(), norm=Wide())
    seen = []

    class Look(Block, kw_only=True):
        def __call__(self, x: jax.Array, *_: Any) -> jax.Array:
            seen.append(x.dtype)
            return x

    embed = TokenEmbedding(
        vocab_size=VOCAB, features=EMBED, embedding_norm=Wide(), dtype=jnp.bfloat16
    )
    spied = TransformerBlock(attention=Look(), mlp=Look(), norm=Wide())
    lm = model(embed=embed, stack=Stack(block=(block, spied), depth=2), norm=Wide(), head=Look())
    lm.init(jax.random.key(0), TOKENS)
    assert {str(dtype) for dtype in seen} == {"bfloat16"}
