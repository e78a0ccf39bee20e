"""Mistakes that libraries of the field make without an error, each shown not to be made here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    MLP,
    Causal,
    ChunkedAttention,
    Context,
    LMHead,
    MultiHeadAttention,
    RoPE,
    Stack,
    TransformerBlock,
    dot_product_attention,
    override,
)
from blocks.attention.kernels import Kernel

X = jax.random.normal(jax.random.key(0), (1, 5, 8))
KERNELS = pytest.mark.parametrize(
    "kernel",
    [dot_product_attention, ChunkedAttention(query_chunk=2, key_chunk=2)],
    ids=["plain", "chunked"],
)


def attention(**fields: object) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), "use_bias": False, **fields})


@KERNELS
def test_the_first_token_gets_its_own_value_and_nothing_else(kernel: Kernel) -> None:
    """Scores multiplied by the mask would let it see the future at score 0; a first row of the mask
    read as padding would give it nothing."""
    block = attention(implementation=kernel)
    y, variables = block.init_with_output(jax.random.key(1), X)
    own = variables["params"]
    value = jnp.einsum("e,ehd->hd", X[0, 0], own["value"]["kernel"])
    want = jnp.einsum("hd,hde->e", value, own["out"]["kernel"])
    np.testing.assert_allclose(y[0, 0], want, rtol=1e-5, atol=1e-6)


@KERNELS
def test_dropout_of_attention_weights_is_applied_on_every_path(kernel: Kernel) -> None:
    block = attention(implementation=kernel, dropout_rate=0.5)
    still, variables = block.init_with_output(jax.random.key(1), X)
    dropped = block.apply(variables, X, None, False, rngs={"dropout": jax.random.key(2)})
    assert float(jnp.abs(dropped - still).max()) > 0.01


@KERNELS
def test_the_mask_holds_where_weights_are_dropped(kernel: Kernel) -> None:
    block = attention(implementation=kernel, dropout_rate=0.5)
    variables = block.init(jax.random.key(1), X)
    changed = X.at[:, 3:].add(1.0)
    runs = [
        block.apply(variables, x, None, False, rngs={"dropout": jax.random.key(2)})
        for x in (X, changed)
    ]
    np.testing.assert_array_equal(runs[0][:, :3], runs[1][:, :3])
    assert float(jnp.abs(runs[0][:, 3:] - runs[1][:, 3:]).max()) > 0.01


def test_a_misspelt_activation_is_no_default() -> None:
    with pytest.raises(TypeError, match="MLP: field `activation` cannot hold this"):
        MLP(hidden=4, activation="gleu")


def test_another_theta_turns_otherwise_in_the_same_process() -> None:
    slow, fast = attention(position=RoPE(theta=1e6)), attention(position=RoPE(theta=2.0))
    variables = slow.init(jax.random.key(1), X)
    outputs = [jax.jit(block.apply)(variables, X) for block in (slow, fast)]
    assert float(jnp.abs(outputs[0] - outputs[1]).max()) > 1e-3
    np.testing.assert_array_equal(jax.jit(slow.apply)(variables, X), outputs[0])


def test_a_bound_of_logits_leaves_hidden_states_alone() -> None:
    table = jax.random.normal(jax.random.key(1), (7, 8))
    plain = LMHead(tied=True).apply({}, 10.0 * X, table=table)
    capped = LMHead(tied=True, logit_cap=2.0).apply({}, 10.0 * X, table=table)
    np.testing.assert_allclose(capped, 2.0 * jnp.tanh(plain / 2.0), rtol=1e-5, atol=1e-6)


def test_the_width_of_a_head_is_not_floored() -> None:
    with pytest.raises(ValueError, match="num_heads=3 must divide embed=8; use 1, 2, 4 or 8"):
        attention(num_heads=3).init(jax.random.key(0), X)


def test_decoding_gives_what_the_whole_gives() -> None:
    block = attention(position=RoPE())
    whole, variables = block.init_with_output(jax.random.key(1), X)
    cache, rows = {}, []
    for token in range(5):
        row, cache = block.apply(
            {**variables, **cache}, X[:, token, None], Context(cache_size=5), mutable=["cache"]
        )
        rows.append(row)
    np.testing.assert_allclose(jnp.concatenate(rows, axis=1), whole, rtol=1e-5, atol=1e-6)


def test_one_instance_in_several_places_ties_no_weights() -> None:
    layer = TransformerBlock(attention=attention(), mlp=MLP(hidden=4))
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(stack.init(jax.random.key(0), X)))
        for stack in (Stack(block=layer, depth=1), Stack(block=(layer,) * 3, depth=3))
    ]
    assert sizes[1] == 3 * sizes[0]
    params = Stack(block=(layer, layer), depth=2).init(jax.random.key(0), X)["params"]
    kernels = [params[f"layer_{i}"]["mlp"]["up"]["kernel"] for i in range(2)]
    assert float(jnp.abs(kernels[0] - kernels[1]).max()) > 0.01


def test_pairs_side_by_side_are_not_taken_for_halves() -> None:
    """The two layouts differ, and weights convert from one to the other by their order."""
    halves, pairs = attention(position=RoPE()), attention(position=RoPE(interleaved=True))
    variables = halves.init(jax.random.key(1), X)
    want = halves.apply(variables, X)
    assert float(jnp.abs(pairs.apply(variables, X) - want).max()) > 1e-4
    order = jnp.array([0, 2, 1, 3])  # features 0, 1 | 2, 3 of a head in halves, side by side
    params = dict(variables["params"])
    for name in ("query", "key"):
        params[name] = {"kernel": params[name]["kernel"][..., order]}
    np.testing.assert_allclose(pairs.apply({"params": params}, X), want, rtol=1e-5, atol=1e-6)


@KERNELS
def test_a_row_that_sees_nothing_is_zero_and_so_is_its_gradient(kernel: Kernel) -> None:
    block = attention(implementation=kernel)
    variables = block.init(jax.random.key(1), X)
    hidden = Context(valid=jnp.zeros((1, 5), bool))
    np.testing.assert_array_equal(block.apply(variables, X, hidden), jnp.zeros_like(X))
    gradient = jax.jit(jax.grad(lambda x: block.apply(variables, x, hidden).sum()))(X)
    np.testing.assert_array_equal(gradient, jnp.zeros_like(X))


def test_a_field_that_is_nowhere_is_no_silent_wish() -> None:
    with pytest.raises(ValueError, match="no part of MultiHeadAttention has a field `droput_rate`"):
        override(attention(), droput_rate=0.1)
