"""Routers: what they are given, those of one's own, and what is refused of their choice."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    Causal,
    Context,
    GatedMLP,
    LoRA,
    MixtureOfExperts,
    MultiHeadAttention,
    SigmoidRouter,
    SoftmaxRouter,
    Stack,
    TransformerBlock,
)
from blocks.moe import Router, Routing, balanced_bias
from blocks.moe.router import LinearRouter
from blocks.moe.sigmoid_router import sigmoid_routing
from blocks.moe.softmax_router import softmax_routing

EMBED = 8


class NoisyRouter(LinearRouter, kw_only=True):
    @nn.compact
    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> Routing:
        logits = self.logits(x)
        if not deterministic:
            logits += jax.random.normal(self.make_rng("router"), logits.shape)
        return softmax_routing(logits, self.top_k)


class TokenRouter(Router, kw_only=True):
    """Sends a token where its id says; it has no parameters."""

    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> Routing:
        assert context is not None
        assert context.tokens is not None
        logits = 9.0 * jax.nn.one_hot(context.tokens % self.num_experts, self.num_experts)
        return softmax_routing(logits, self.top_k)


class Fixed(nn.Module):
    """Gives a routing, whatever the tokens."""

    routing: object

    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> object:
        return self.routing


def tokens(*shape: int) -> jax.Array:
    return normal(0, (*shape, EMBED))


def mixture(router: nn.Module) -> MixtureOfExperts:
    return MixtureOfExperts(router=router, expert=GatedMLP(hidden=6))


def test_a_router_draws_from_a_stream_of_its_own_and_is_quiet_when_deterministic() -> None:
    block, x = mixture(NoisyRouter(num_experts=4, top_k=2)), tokens(2, 6)
    variables = drawn_variables(block, x, seed=1)
    plain = jitted(mixture(SoftmaxRouter(num_experts=4, top_k=2)), variables, x)
    rngs = {"router": jax.random.key(2)}
    np.testing.assert_array_equal(jitted(block, variables, x, None, True, rngs=rngs), plain)
    noisy = jitted(block, variables, x, None, False, rngs=rngs)
    assert float(jnp.abs(noisy - plain).max()) > 0.01


@pytest.mark.parametrize("scan", [False, True])
def test_a_noisy_router_works_in_the_layers_of_a_model(scan: bool) -> None:
    attention = MultiHeadAttention(num_heads=2, mask=Causal())
    layer = TransformerBlock(attention=attention, mlp=mixture(NoisyRouter(num_experts=4, top_k=2)))
    stack, x = Stack(block=layer, depth=2, scan=scan), tokens(2, 6)
    variables = drawn_variables(stack, x, seed=1)
    rngs = {"router": jax.random.key(2)}
    quiet, noisy = (jitted(stack, variables, x, None, d, rngs=rngs) for d in (True, False))
    assert float(jnp.abs(noisy - quiet).max()) > 0.01


def test_a_router_is_given_the_context_at_the_places_of_its_tokens() -> None:
    block, x = mixture(TokenRouter(num_experts=4, top_k=1)), tokens(2, 3)
    context = Context(tokens=jnp.array([[0, 1, 2], [3, 4, 6]]))
    variables = drawn_variables(block, x, context, seed=1)
    _, seen = jitted(block, variables, x, context, mutable=["intermediates"])
    np.testing.assert_allclose(seen["intermediates"]["load"][0] * 6, [2, 1, 2, 1], rtol=1e-6)


def test_a_router_in_an_adapter_is_a_router() -> None:
    router = LoRA(block=SoftmaxRouter(num_experts=4, top_k=2), targets=("logits",))
    params = drawn_variables(mixture(router), tokens(2, 3), seed=1)["params"]
    assert params["router"]["logits"]["lora_a"].shape == (EMBED, 8)


@pytest.mark.parametrize(
    ("routing", "error", "message"),
    [
        ((1, 2), TypeError, "the router gave tuple; it must give a Routing"),
        (
            Routing(jnp.zeros((6, 2), int), jnp.ones((6, 2)), jnp.ones((6, 4)), jnp.ones((6, 4))),
            ValueError,
            r"the router's experts of shape \(6, 2\) do not fit the tokens; give \(2, 3, 2\)",
        ),
        (
            Routing(jnp.full((2, 3, 1), 4), jnp.ones((2, 3, 1)), *[jnp.ones((2, 3, 4))] * 2),
            ValueError,
            "the router chose expert 4, and there are 4",
        ),
    ],
)
def test_a_choice_that_does_not_fit_is_refused(
    routing: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mixture(Fixed(routing)).init(jax.random.key(0), tokens(2, 3))


def test_the_bias_of_a_sigmoid_router_has_no_gradient_and_follows_the_load() -> None:
    router, x = SigmoidRouter(num_experts=4, top_k=1), tokens(50)
    variables = drawn_variables(router, x, seed=1)
    gradient = jax.jit(jax.grad(lambda v: jnp.square(router.apply(v, x).probabilities).sum()))(
        variables
    )
    assert not gradient["params"]["bias"].any()
    steered = {"params": {**variables["params"], "bias": jnp.array([0.0, 0.0, 9.0, 0.0])}}
    assert (jitted(router, steered, x).experts == 2).all()
    np.testing.assert_allclose(jitted(router, steered, x).weights, 1.0)
    load = jnp.array([0.25, 0.1, 0.4, 0.25])
    moved = balanced_bias(jnp.zeros(4), load, rate=0.5)
    np.testing.assert_allclose(moved, [0.0, 0.5, -0.5, 0.0])


@pytest.mark.parametrize("kind", [SigmoidRouter, SoftmaxRouter])
def test_groups_that_are_not_chosen_are_not_used(kind: type[SigmoidRouter]) -> None:
    router = kind(num_experts=6, top_k=2, num_groups=3, top_groups=1)
    x = tokens(40)
    routing = router.init_with_output(jax.random.key(1), x)[0]
    first, second = np.asarray(routing.experts).T
    np.testing.assert_array_equal(first // 2, second // 2)


def test_softmax_compares_groups_by_their_best_expert_and_sigmoid_by_two() -> None:
    """The first group has the best expert, the second the best two."""
    logits = jnp.log(jnp.array([[0.40, 0.02, 0.29, 0.29]]))
    np.testing.assert_array_equal(softmax_routing(logits, 1, True, 2, 1).experts, [[0]])
    np.testing.assert_array_equal(sigmoid_routing(logits, None, 1, 2, 1).experts, [[2]])


def test_weights_that_are_not_renormalised_are_scaled_scores() -> None:
    logits = jnp.log(jnp.array([[0.4, 0.1, 0.3, 0.2]]))
    soft = softmax_routing(logits, 2, renormalize=False, scale=16.0)
    np.testing.assert_allclose(soft.weights, [[6.4, 4.8]], rtol=1e-6)
    alone = sigmoid_routing(logits, None, 2, renormalize=False, scale=2.0)
    np.testing.assert_allclose(alone.weights, [[2 * 0.4 / 1.4, 2 * 0.3 / 1.3]], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoftmaxRouter(num_experts=2, top_k=3), "top_k=3 must be from 1 to num_experts=2"),
        (lambda: SoftmaxRouter(num_experts=0, top_k=0), "top_k=0 must be from 1"),
        (
            lambda: SigmoidRouter(num_experts=4, top_k=1, num_groups=3),
            "num_groups=3 must divide num_experts=4",
        ),
        (
            lambda: SigmoidRouter(num_experts=4, top_k=1, num_groups=2, top_groups=3),
            "top_groups=3 must be from 1 to num_groups=2",
        ),
        (
            lambda: SigmoidRouter(num_experts=4, top_k=3, num_groups=2, top_groups=1),
            "top_k=3 is more than the 2 experts of top_groups=1 groups; raise top_groups",
        ),
    ],
)
def test_a_choice_that_no_token_can_make_is_refused(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()
