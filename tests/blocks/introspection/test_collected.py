"""Hidden states and attention weights, against the calls that they come from."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    MLP,
    ALiBi,
    AttentionHead,
    Causal,
    CausalLM,
    ChunkedAttention,
    Context,
    CrossAttention,
    CudnnAttention,
    DifferentialAttention,
    Encoder,
    EncoderDecoder,
    LatentAttention,
    LinearAttention,
    LMHead,
    MultiHeadAttention,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    attention_weights,
    hidden_states,
    override,
)
from blocks.attention import SoftmaxOne, TalkingHeadsAttention
from blocks.layers import stack_layers
from blocks.recurrent import Hedgehog, HedgehogDistillation

X = normal(1, (2, 5, 8))


def layer(**fields: Any) -> TransformerBlock:
    attention = MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), **fields})
    return TransformerBlock(attention=attention, mlp=MLP(hidden=8))


def stacks() -> dict[str, tuple[Stack, Any, Stack, Any]]:
    """Ways to run layers, with their variables, and the same layers as a loop with its."""
    pattern = (layer(), layer(mask=Causal() & SlidingWindow(2)))
    loop = Stack(block=pattern, depth=4)
    params = drawn_variables(loop, X)["params"]
    scan = override(loop, scan=True)
    shared = Stack(block=layer(), depth=4, shared=True)
    tied = drawn_variables(shared, X)
    untied = {f"layer_{i}": tied["params"]["layers"] for i in range(4)}
    stacked = {"params": stack_layers(params, pattern=2)}
    return {
        "loop": (loop, {"params": params}, loop, {"params": params}),
        "scan": (scan, stacked, loop, {"params": params}),
        "remat": (override(scan, remat=True), stacked, loop, {"params": params}),
        "shared": (shared, tied, Stack(block=layer(), depth=4), {"params": untied}),
    }


STACKS = stacks()


@pytest.mark.parametrize("way", STACKS)
def test_hidden_states_are_what_each_layer_gives(way: str) -> None:
    stack, variables, loop, plain = STACKS[way]
    states = hidden_states(stack, variables, X)
    x = X
    for index in range(4):
        block = loop.block[index % 2] if isinstance(loop.block, tuple) else loop.block
        x = jitted(block, {"params": plain["params"][f"layer_{index}"]}, x)
        chex.assert_trees_all_close(states[index], x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("way", [way for way in STACKS if way != "loop"])
def test_weights_of_a_scan_are_those_of_the_loop(way: str) -> None:
    stack, variables, loop, plain = STACKS[way]
    got, want = attention_weights(stack, variables, X), attention_weights(loop, plain, X)
    assert list(got) == [f"layer_{index}.attention" for index in range(4)]
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-5)


def test_layers_are_listed_in_the_order_that_they_run() -> None:
    stack = Stack(block=layer(), depth=12, scan=True)
    variables = jax.eval_shape(stack.init, jax.random.key(0), X)
    names: list[str] = []
    jax.eval_shape(lambda v: names.extend(attention_weights(stack, v, X)), variables)
    assert names == [f"layer_{index}.attention" for index in range(12)]


def test_a_call_that_does_not_ask_leaves_nothing() -> None:
    stack, variables, *_ = STACKS["scan"]

    def plain(x: jax.Array) -> Any:
        return stack.apply(variables, x)

    def mutable(x: jax.Array) -> Any:
        return stack.apply(variables, x, mutable=["hidden_states", "attention_weights"])

    before = jax.make_jaxpr(plain)(X)
    jax.make_jaxpr(lambda x: hidden_states(stack, variables, x))(X)
    assert str(jax.make_jaxpr(plain)(X)) == str(before)
    assert str(jax.make_jaxpr(mutable)(X)) == str(before)
    assert set(jax.eval_shape(stack.init, jax.random.key(0), X)) == {"params"}


def translator() -> tuple[EncoderDecoder, Any, tuple[jax.Array, ...]]:
    block = layer().clone(cross_attention=CrossAttention(num_heads=2))
    model = EncoderDecoder(
        encoder=Encoder(embed=None, stack=Stack(block=layer(mask=None), depth=1)),
        decoder=CausalLM(
            embed=TokenEmbedding(vocab_size=7, features=8),
            stack=Stack(block=block, depth=2, scan=True),
            norm=None,
            head=LMHead(tied=True),
        ),
    )
    inputs = (jnp.array([[1, 2, 3]]), jnp.array([[4, 5, 6, 1]]))
    return model, drawn_variables(model, *inputs), inputs


def test_several_stacks_are_told_apart_by_their_path() -> None:
    model, variables, inputs = translator()
    with pytest.raises(ValueError, match=r"stack=None.*it has 'decoder.stack', 'encoder.stack'"):
        hidden_states(model, variables, *inputs)
    states = jax.eval_shape(
        lambda v: hidden_states(model, v, *inputs, stack="decoder.stack"), variables
    )
    assert states.shape == (2, 1, 3, 8)
    weights = jax.eval_shape(lambda v: attention_weights(model, v, *inputs), variables)
    assert {path: array.shape[2:] for path, array in weights.items()} == {
        "decoder.stack.layer_0.attention": (3, 3),
        "decoder.stack.layer_0.cross_attention": (3, 4),
        "decoder.stack.layer_1.attention": (3, 3),
        "decoder.stack.layer_1.cross_attention": (3, 4),
        "encoder.stack.layer_0.attention": (4, 4),
    }


def test_a_model_without_a_stack_has_no_hidden_states() -> None:
    block = layer()
    with pytest.raises(ValueError, match=r"names no stack of TransformerBlock; it has none"):
        hidden_states(block, block.init(jax.random.key(0), X), X)


CHUNKS = ChunkedAttention(query_chunk=2, key_chunk=2)
KINDS = {
    "head": AttentionHead(head_dim=4, mask=Causal()),
    "grouped": MultiHeadAttention(num_heads=4, num_kv_heads=2, mask=Causal(), scores=(ALiBi(),)),
    "chunked": MultiHeadAttention(
        num_heads=2, mask=Causal() & SlidingWindow(2), implementation=CHUNKS
    ),
    "sinks": MultiHeadAttention(num_heads=2, mask=Causal(), sinks=SoftmaxOne()),
    "talking": TalkingHeadsAttention(num_heads=4, num_kv_heads=2, mask=Causal()),
    "differential": DifferentialAttention(num_heads=2, num_kv_heads=1, layer=1, mask=Causal()),
}


def started(kind: str) -> tuple[nn.Module, Any, np.ndarray]:
    """A block, variables none of which is trivial, and the weights of its only layer."""
    block = KINDS[kind]
    leaves, tree = jax.tree.flatten(drawn_variables(block, X))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [0.5 * jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    variables = jax.tree.unflatten(tree, drawn)
    (weights,) = jax.jit(lambda v: attention_weights(block, v, X))(variables).values()
    return block, variables, np.asarray(weights, np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_times_values_are_the_result(kind: str) -> None:
    block, variables, weights = started(kind)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    value = params["value"]
    if kind == "head":
        values = np.asarray(X) @ value["kernel"]
        want = weights[:, 0] @ values
    else:
        values = np.einsum("bse,ehd->bshd", X, value["kernel"]) + value["bias"]
        values = np.repeat(values, block.num_heads // values.shape[2], axis=2)
        want = np.einsum("bhqs,bshd->bqhd", weights, values)
        if kind == "differential":
            scale = params["head_norm"]["scale"] * (1 - block.lambda_init)
            want = want / np.sqrt((want**2).mean(axis=-1, keepdims=True) + 1e-5) * scale
        want = np.einsum("bqhd,hde->bqe", want, params["out"]["kernel"]) + params["out"]["bias"]
    np.testing.assert_allclose(jitted(block, variables, X), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["head", "grouped", "chunked", "sinks"])
def test_rows_sum_to_one_or_to_less_with_sinks(kind: str) -> None:
    total = started(kind)[2].sum(axis=-1)
    if kind == "sinks":
        assert (total < 0.9999).all()
    else:
        np.testing.assert_allclose(total, 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_mask_hides_has_no_weight(kind: str) -> None:
    weights = started(kind)[2]
    seen = np.tril(np.ones((5, 5), bool))
    if kind == "chunked":
        seen &= ~np.tril(seen, -2)
    assert (weights[..., ~seen] == 0.0).all()
    assert (weights[..., seen] != 0.0).all()


def test_weights_in_a_cached_call_are_over_the_slots_of_the_cache() -> None:
    block, variables, whole = started("grouped")
    context = Context(cache_size=7)
    _, cache = jitted(block, variables, X[:, :3], context, mutable=["cache"])
    (weights,) = attention_weights(block, {**variables, **cache}, X[:, 3:], context).values()
    np.testing.assert_allclose(weights[..., :5], whole[:, :, 3:], rtol=1e-5, atol=1e-6)
    assert (weights[..., 5:] == 0.0).all()


def drawn(block: nn.Module) -> Any:
    """Parameters none of which is trivial."""
    leaves, tree = jax.tree.flatten(jax.eval_shape(block.init, jax.random.key(0), X))
    keys = jax.random.split(jax.random.key(3), len(leaves))
    return jax.tree.unflatten(
        tree, [0.5 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    )


def test_latent_attention_weighs_its_values_with_a_cache_and_without() -> None:
    block = LatentAttention(num_heads=2, head_dim=3, rope_dim=2, kv_rank=4, mask=Causal())
    variables, context = drawn(block), Context(cache_size=5)
    (weights,) = attention_weights(block, variables, X).values()
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    latent = np.asarray(X, np.float64) @ params["kv_down"]["kernel"]
    latent /= np.sqrt((latent**2).mean(axis=-1, keepdims=True) + 1e-6)
    values = np.einsum(
        "bsr,rhd->bshd", latent * params["kv_norm"]["scale"], params["value_up"]["kernel"]
    )
    want = np.einsum("bhqs,bshd,hde->bqe", weights, values, params["out"]["kernel"])
    np.testing.assert_allclose(jitted(block, variables, X), want, rtol=1e-4, atol=1e-4)
    (absorbed,) = attention_weights(block, variables, X, context).values()
    np.testing.assert_allclose(absorbed, weights, rtol=1e-4, atol=1e-5)


LINEAR = {
    "causal": LinearAttention(num_heads=2, num_kv_heads=1, mask=Causal(), use_bias=False),
    "whole": LinearAttention(num_heads=2, num_kv_heads=1, use_bias=False),
    "distilled": HedgehogDistillation(
        num_heads=2, num_kv_heads=1, feature_map=Hedgehog(), mask=Causal(), use_bias=False
    ),
}


@pytest.mark.parametrize("kind", LINEAR)
def test_linear_attention_weighs_its_values_though_it_never_writes_weights(kind: str) -> None:
    block = LINEAR[kind]
    variables = drawn(block)
    context = Context(valid=jnp.array([[True] * 5, [True, False, True, True, False]]))
    (weights,) = attention_weights(block, variables, X, context).values()
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    values = np.einsum("bse,ed->bsd", X, params["value"]["kernel"][:, 0])
    want = np.einsum("bhqs,bsd,hde->bqe", weights, values, params["out"]["kernel"])
    np.testing.assert_allclose(jitted(block, variables, X, context), want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-5)
    assert (weights[1, :, :, jnp.array([1, 4])] == 0.0).all()


def test_linear_attention_has_no_weights_to_what_only_a_cache_knows() -> None:
    block, context = LINEAR["causal"], Context(cache_size=5)
    variables = drawn(block)
    _, cache = jitted(block, variables, X[:, :3], context, mutable=["cache"])
    assert attention_weights(block, {**variables, **cache}, X[:, 3:], context) == {}


def test_a_kernel_that_takes_no_such_values_gives_way_to_the_reference() -> None:
    block, variables, _ = started("grouped")
    plain = override(block, scores=())
    fused = override(plain, implementation=CudnnAttention())
    chex.assert_trees_all_equal(
        attention_weights(fused, variables, X), attention_weights(plain, variables, X)
    )
