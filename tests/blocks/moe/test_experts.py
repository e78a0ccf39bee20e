"""Experts: one MLP as a value, with a set of parameters for each of them."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    MLP,
    Block,
    ClampedGatedMLP,
    GatedMLP,
    Linear,
    LoRA,
    MixtureOfExperts,
    SoftmaxRouter,
)
from blocks.moe.experts import run_experts

EMBED = 5
ROWS = 4.0 * normal(0, (7, EMBED))
CHOSEN = jnp.array([2, 0, 2, 2, 1, 0, 2])


class Sent(Block, kw_only=True):
    """Rows sent to experts by number, without a router."""

    expert: nn.Module
    num_experts: int = 3

    @nn.compact
    def __call__(
        self, x: jax.Array, experts: jax.Array = CHOSEN, deterministic: bool = True
    ) -> jax.Array:
        return run_experts(self, self.expert, self.num_experts, x, experts, deterministic)


class LearnedSlope(Block, kw_only=True):
    @nn.compact
    def __call__(self, h: jax.Array) -> jax.Array:
        return jnp.tanh(self.param("slope", nn.initializers.ones, ()) * h)


class Direction(Block, kw_only=True):
    """An expert of one's own, whose function has no gradient at zero."""

    @nn.compact
    def __call__(
        self, x: jax.Array, context: object = None, deterministic: bool = True
    ) -> jax.Array:
        unit = x / jnp.sqrt(jnp.square(x).sum(axis=-1, keepdims=True))
        return Linear(features=(x.shape[-1],), name="out")(unit)


KINDS = {
    "mlp": MLP(hidden=4),
    "gated": GatedMLP(hidden=4),
    "clamped": ClampedGatedMLP(hidden=4, limit=2.0),
    "learned activation": GatedMLP(hidden=4, activation=LearnedSlope()),
    "one's own": Direction(),
    "adapted": LoRA(block=MLP(hidden=4), targets=("up",)),
}


def noisy(block: nn.Module) -> dict:
    leaves, tree = jax.tree.flatten(drawn_variables(block, ROWS, seed=1))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


def one_by_one(expert: nn.Module, variables: dict, x: jax.Array) -> jax.Array:
    """Each row through an expert that stands alone."""
    own = variables["params"]["experts"]
    return jnp.stack(
        [
            jitted(expert, {"params": jax.tree.map(lambda leaf, e=e: leaf[e], own)}, row[None])[0]
            for row, e in zip(x, CHOSEN, strict=True)
        ]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_meets_the_expert_of_its_number_forward_and_backward(kind: str) -> None:
    expert = KINDS[kind]
    block, weight = Sent(expert=expert), normal(3, ROWS.shape)
    variables = noisy(block)

    def sparse(variables: dict, x: jax.Array) -> jax.Array:
        return (weight * block.apply(variables, x)).sum()

    def dense(variables: dict, x: jax.Array) -> jax.Array:
        return (weight * one_by_one(expert, variables, x)).sum()

    want = one_by_one(expert, variables, ROWS)
    np.testing.assert_allclose(jitted(block, variables, ROWS), want, rtol=1e-4, atol=1e-4)
    got, want = (jax.jit(jax.grad(loss, (0, 1)))(variables, ROWS) for loss in (sparse, dense))
    jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, rtol=1e-3, atol=1e-3), got, want)


def test_clamped_experts_follow_the_formula_of_gpt_oss() -> None:
    block = Sent(expert=ClampedGatedMLP(hidden=4, limit=2.0))
    variables = noisy(block)
    own = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"]["experts"])
    want = []
    for row, e in zip(np.asarray(ROWS, np.float64), np.asarray(CHOSEN), strict=True):
        gate = np.minimum(row @ own["gate"]["kernel"][e] + own["gate"]["bias"][e], 2.0)
        up = np.clip(row @ own["up"]["kernel"][e] + own["up"]["bias"][e], -2.0, 2.0)
        hidden = gate / (1.0 + np.exp(-1.702 * gate)) * (up + 1.0)
        want.append(hidden @ own["down"]["kernel"][e] + own["down"]["bias"][e])
    np.testing.assert_allclose(jitted(block, variables, ROWS), want, rtol=1e-5, atol=1e-5)


def test_experts_have_the_parameters_of_their_mlp_each_drawn_on_its_own() -> None:
    params = Sent(expert=MLP(hidden=4)).init(jax.random.key(1), ROWS)["params"]["experts"]
    assert jax.tree.map(jnp.shape, params) == {
        "up": {"kernel": (3, EMBED, 4), "bias": (3, 4)},
        "down": {"kernel": (3, 4, EMBED), "bias": (3, EMBED)},
    }
    assert not params["up"]["bias"].any()
    assert float(jnp.abs(params["up"]["kernel"][0] - params["up"]["kernel"][1]).max()) > 0.1


def test_an_adapter_around_the_mixture_learns_as_one_in_its_expert() -> None:
    # The backward pass of experts is traced after the adapter has left.
    router = SoftmaxRouter(num_experts=3, top_k=3)
    around = LoRA(block=MixtureOfExperts(router=router, expert=MLP(hidden=4)), targets=("up",))
    inside = MixtureOfExperts(router=router, expert=LoRA(block=MLP(hidden=4), targets=("up",)))
    variables = noisy(around)

    def gradient(block: nn.Module) -> dict:
        return jax.jit(jax.grad(lambda v: jnp.square(block.apply(v, ROWS)).sum()))(variables)

    got, want = gradient(around), gradient(inside)
    jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, rtol=1e-5), got, want)
    assert want["params"]["experts"]["up"]["lora_b"].any()


def equations(function: Callable[..., object], *arguments: object) -> int:
    return str(jax.make_jaxpr(function)(*arguments)).count(" = ")


def test_as_many_operations_make_few_experts_as_many() -> None:
    few, many = (Sent(expert=GatedMLP(hidden=4), num_experts=n) for n in (4, 256))
    assert equations(few.init, jax.random.key(0), ROWS) == equations(
        many.init, jax.random.key(0), ROWS
    )


def test_dropout_in_experts_draws_for_every_block_and_is_off_when_deterministic() -> None:
    block = Sent(expert=MLP(hidden=50, activation=jnp.ones_like, dropout_rate=0.5))
    x = jnp.ones((64, EMBED))
    chosen = jnp.zeros(64, jnp.int32)
    variables = drawn_variables(block, x, chosen)
    quiet = jitted(block, variables, x, chosen)
    np.testing.assert_array_equal(quiet, jnp.broadcast_to(quiet[:1], quiet.shape))
    rngs = {"dropout": jax.random.key(1)}
    dropped = jitted(block, variables, x, chosen, False, rngs=rngs)
    assert len(np.unique(np.asarray(dropped[:, 0]))) == 64
    again = jitted(block, variables, x, chosen, False, rngs=rngs)
    np.testing.assert_array_equal(dropped, again)


def test_the_gradient_of_dropout_is_that_of_what_was_dropped() -> None:
    block = Sent(expert=MLP(hidden=50, activation=jnp.array, dropout_rate=0.5, use_bias=False))
    variables = drawn_variables(block, ROWS)
    rngs = {"dropout": jax.random.key(1)}

    def y(x: jax.Array) -> jax.Array:
        return block.apply(variables, x, CHOSEN, False, rngs=rngs).sum()

    # Linear in x, so that the gradient times x is the result.
    np.testing.assert_allclose((jax.jit(jax.grad(y))(ROWS) * ROWS).sum(), y(ROWS), rtol=1e-4)


def test_experts_in_bfloat16_give_bfloat16() -> None:
    block = Sent(expert=GatedMLP(hidden=4, dtype=jnp.bfloat16))
    y, variables = block.init_with_output(jax.random.key(0), ROWS)
    assert y.dtype == jnp.bfloat16
    assert variables["params"]["experts"]["up"]["kernel"].dtype == jnp.float32


def test_a_mistake_in_an_expert_names_its_place() -> None:
    block = Sent(expert=MLP(hidden=4))
    variables = drawn_variables(Sent(expert=MLP(hidden=6)), ROWS)
    with pytest.raises(TypeError, match=r"Linear at `experts\.up`.*\n  expected: .*\(5, 6\)"):
        block.apply(variables, ROWS)


class Leaves(Block, kw_only=True):
    """An expert that leaves something besides its result."""

    collection: str

    @nn.compact
    def __call__(
        self, x: jax.Array, context: object = None, deterministic: bool = True
    ) -> jax.Array:
        y = Linear(features=(x.shape[-1],), name="out")(x)
        if self.collection in ("losses", "intermediates"):
            self.sow(self.collection, "mine", jnp.square(y).sum())
        elif self.collection == "batch_stats":
            norm = nn.BatchNorm(use_running_average=deterministic, use_bias=False, use_scale=False)
            y = norm(y)
        else:
            self.variable(self.collection, "calls", jnp.zeros, ()).value += 1
        return y


@pytest.mark.parametrize("collection", ["losses", "batch_stats", "counts"])
def test_an_expert_that_writes_a_collection_is_refused(collection: str) -> None:
    block = Sent(expert=Leaves(collection=collection))
    message = f"writes the collection `{collection}`, which a mixture does not keep"
    with pytest.raises(ValueError, match=message):
        block.init(jax.random.key(0), ROWS)
    variables = drawn_variables(Sent(expert=Leaves(collection="intermediates")), ROWS)
    with pytest.raises(ValueError, match=message):
        jax.jit(lambda x: block.apply(variables, x, mutable=True))(ROWS)
