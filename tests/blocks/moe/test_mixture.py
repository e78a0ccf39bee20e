"""Mixtures: sparse results against dense ones, what is reported, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import (
    Causal,
    Context,
    GatedMLP,
    MixtureOfExperts,
    MultiHeadAttention,
    SoftmaxRouter,
    Stack,
    TransformerBlock,
)
from blocks.moe import InputWeightedMixture, TokenGate, auxiliary_losses
from blocks.moe.dispatch import block_size, by_expert, plan

EMBED = 8


def mixture(num_experts: int = 4, top_k: int = 2) -> MixtureOfExperts:
    return MixtureOfExperts(
        router=SoftmaxRouter(num_experts=num_experts, top_k=top_k),
        expert=GatedMLP(hidden=6),
    )


def tokens(*shape: int) -> jax.Array:
    return normal(0, (*shape, EMBED))


@settings(max_examples=30, deadline=None)
@given(
    experts=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    size=st.sampled_from([1, 3, 8]),
)
def test_every_row_meets_its_expert_and_comes_back(experts: list[int], size: int) -> None:
    at = plan(jnp.array(experts), 5, size)
    assert len(set(np.asarray(at.place).tolist())) == len(experts)
    numbers = np.asarray(at.expert)[np.asarray(at.place) // size]
    np.testing.assert_array_equal(numbers, experts)
    assert np.asarray(at.used)[np.asarray(at.place) // size].all()
    # No more blocks than needed are computed.
    counts = np.bincount(experts, minlength=5)
    assert int(at.used.sum()) == int((-(-counts // size)).sum())


def test_blocks_are_as_large_as_an_experts_share_within_bounds() -> None:
    assert [block_size(rows, 8) for rows in (1, 64, 100, 800, 10**6)] == [8, 8, 16, 128, 128]


def test_the_gradient_of_a_sparse_product_is_that_of_a_dense_one() -> None:
    at = plan(jnp.array([2, 0, 2, 2, 2, 0]), 3, 2)
    x = normal(1, (len(at.expert), 2, 5))
    kernel = normal(2, (3, 5, 5))
    weight = normal(3, x.shape)

    def product(own: jax.Array, rows: jax.Array, keys: tuple) -> jax.Array:
        return jnp.tanh(rows @ own)

    def sparse(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return (weight * by_expert(product, kernel, x, at)).sum()

    def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
        rows = jnp.tanh(jnp.einsum("bsi,bio->bso", x, kernel[at.expert]))
        return (weight * rows * at.used[:, None, None]).sum()

    for got, want in zip(
        jax.jit(jax.grad(sparse, (0, 1)))(x, kernel),
        jax.jit(jax.grad(dense, (0, 1)))(x, kernel),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_all_experts_chosen_is_the_dense_mixture() -> None:
    block, x = mixture(top_k=4), tokens(3, 5)
    variables = drawn_variables(block, x, seed=1)
    own = variables["params"]
    weights = jax.nn.softmax(x @ own["router"]["logits"]["kernel"])
    gate = jax.nn.silu(jnp.einsum("bse,nei->bsni", x, own["experts"]["gate"]["kernel"]))
    up = jnp.einsum("bse,nei->bsni", x, own["experts"]["up"]["kernel"])
    each = jnp.einsum("bsni,nie->bsne", gate * up, own["experts"]["down"]["kernel"])
    want = jnp.einsum("bsn,bsne->bse", weights, each)
    np.testing.assert_allclose(jitted(block, variables, x), want, rtol=1e-5, atol=1e-6)


def test_weights_on_inputs_are_inside_of_the_experts() -> None:
    plain, x = mixture(top_k=4), tokens(3, 5)
    block = InputWeightedMixture(router=plain.router, expert=plain.expert)
    variables = drawn_variables(block, x, seed=1)
    own = variables["params"]
    weights = jax.nn.softmax(x @ own["router"]["logits"]["kernel"])
    rows = weights[..., None] * x[:, :, None]
    gate = jax.nn.silu(jnp.einsum("bsne,nei->bsni", rows, own["experts"]["gate"]["kernel"]))
    up = jnp.einsum("bsne,nei->bsni", rows, own["experts"]["up"]["kernel"])
    want = jnp.einsum("bsni,nie->bse", gate * up, own["experts"]["down"]["kernel"])
    np.testing.assert_allclose(jitted(block, variables, x), want, rtol=1e-5, atol=1e-6)


def test_a_token_gate_that_is_shut_lets_nothing_through() -> None:
    block, x = TokenGate(mlp=GatedMLP(hidden=6)), jnp.abs(tokens(2, 3))
    own = drawn_variables(block, x, seed=1)["params"]
    open_, shut = (
        {"params": {**own, "gate": {"kernel": jnp.full((EMBED, 1), to)}}} for to in (1e3, -1e3)
    )
    np.testing.assert_array_equal(jitted(block, shut, x), jnp.zeros_like(x))
    want = jitted(GatedMLP(hidden=6), {"params": own["mlp"]}, x)
    np.testing.assert_allclose(jitted(block, open_, x), want, rtol=1e-6)


def test_the_load_counts_real_tokens_only() -> None:
    block, x = mixture(), tokens(2, 6)
    variables = drawn_variables(block, x, seed=1)
    assert set(variables) == {"params"}
    valid = jnp.arange(6)[None] < jnp.array([[6], [2]])
    _, seen = jitted(block, variables, x, Context(valid=valid), mutable=["intermediates", "losses"])
    chosen = jax.lax.top_k(x @ variables["params"]["router"]["logits"]["kernel"], 2)[1]
    want = np.bincount(np.asarray(chosen)[np.asarray(valid)].ravel(), minlength=4) / 16
    np.testing.assert_allclose(seen["intermediates"]["load"][0], want, rtol=1e-6)


def test_losses_are_those_of_the_papers() -> None:
    block, x = mixture(), tokens(2, 6)
    variables = drawn_variables(block, x, seed=1)
    _, seen = jitted(block, variables, x, mutable=["intermediates", "losses"])
    logits = np.asarray(x @ variables["params"]["router"]["logits"]["kernel"], np.float64)
    odds = np.exp(logits)
    mean = (odds / odds.sum(-1, keepdims=True)).mean((0, 1))
    losses = auxiliary_losses(seen)
    load = np.asarray(seen["intermediates"]["load"][0])
    np.testing.assert_allclose(losses["balance"], 4 * (load * mean).sum(), rtol=1e-5)
    np.testing.assert_allclose(losses["router_z"], (np.log(odds.sum(-1)) ** 2).mean(), rtol=1e-5)


@pytest.mark.parametrize("scan", [False, True])
def test_losses_of_all_layers_are_summed(scan: bool) -> None:
    attention = MultiHeadAttention(num_heads=2, mask=Causal())
    layer = TransformerBlock(attention=attention, mlp=mixture())
    stack = Stack(block=layer, depth=3, scan=scan)
    x = tokens(2, 6)
    variables = drawn_variables(stack, x, seed=1)
    zero = jax.tree.map(jnp.zeros_like, variables)
    _, seen = jitted(stack, zero, x, mutable=["losses"])
    # Zero logits: all probabilities are a quarter, and whatever the load, 4 * sum(load / 4) = 1.
    np.testing.assert_allclose(auxiliary_losses(seen)["balance"], 3.0, rtol=1e-6)
    np.testing.assert_allclose(auxiliary_losses(seen)["router_z"], 3 * np.log(4) ** 2, rtol=1e-6)


def test_losses_that_nobody_asked_for_are_refused() -> None:
    with pytest.raises(ValueError, match=r'no losses: call.*mutable=\["losses"\]'):
        auxiliary_losses({})


def test_no_tokens_give_no_results() -> None:
    mixture = MixtureOfExperts(
        router=SoftmaxRouter(num_experts=4, top_k=2),
        expert=GatedMLP(hidden=8),
    )
    variables = jax.eval_shape(mixture.init, jax.random.key(0), jnp.ones((2, 3, 8)))
    y = jax.eval_shape(lambda v: mixture.apply(v, jnp.ones((2, 0, 8))), variables)
    assert y.shape == (2, 0, 8)
