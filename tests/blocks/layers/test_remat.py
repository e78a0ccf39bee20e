"""Remat by name: what a policy keeps is not computed again, and the names cost nothing."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import blocks.layers.transformer_block
from blocks import (
    Block,
    Causal,
    Context,
    LayerScale,
    MultiHeadAttention,
    RMSNorm,
    Stack,
    TransformerBlock,
)

X = jax.random.normal(jax.random.key(0), (2, 3, 4))
names = jax.checkpoint_policies.save_only_these_names
DEPTH = 3


class Apply(Block, kw_only=True):
    """A function that is counted in programs."""

    function: Callable[[jax.Array], jax.Array]

    def __call__(self, x: jax.Array, *_: object) -> jax.Array:
        return self.function(x)


# The scale makes the backward pass ask for what each sublayer gave.
LAYER = TransformerBlock(
    attention=Apply(function=jnp.sinh),
    mlp=Apply(function=jnp.arctan),
    norm=RMSNorm(),
    residual=LayerScale(),
)


def count(jaxpr: Any, name: str) -> int:
    """How often an operation stands in a program, those inside of its operations among them."""
    total = 0
    for equation in jaxpr.eqns:
        total += equation.primitive.name == name
        for value in jax.tree.leaves(tuple(equation.params.values())):
            inner = getattr(value, "jaxpr", value)  # a closed one holds it
            total += count(inner, name) if hasattr(inner, "eqns") else 0
    return total


def operations(remat: Any, scan: bool = False) -> tuple[int, int]:
    """How often both sublayers stand in the program of a gradient, and of names in it."""
    stack = Stack(block=LAYER, depth=DEPTH, remat=remat, scan=scan)
    variables = jax.eval_shape(stack.init, jax.random.key(0), X)

    def loss(variables: Any, x: jax.Array) -> jax.Array:
        return stack.apply(variables, x).sum()

    jaxpr = jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(variables, X).jaxpr
    return count(jaxpr, "sinh"), count(jaxpr, "atan")


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
@pytest.mark.parametrize(
    ("remat", "attention", "mlp"),
    [
        (False, 1, 1),
        (True, 2, 2),
        (names("attention"), 1, 2),
        (names("mlp"), 2, 1),
        (names("attention", "mlp"), 1, 1),
        (names("nothing"), 2, 2),
    ],
    ids=["off", "all", "attention", "mlp", "both", "unknown"],
)
def test_what_is_named_is_kept_and_the_rest_computed_again(
    remat: Any, attention: int, mlp: int, scan: bool
) -> None:
    times = 1 if scan else DEPTH
    assert operations(remat, scan) == (times * attention, times * mlp)


def test_a_policy_by_name_changes_no_gradient() -> None:
    def gradient(remat: Any) -> jax.Array:
        stack = Stack(block=LAYER, depth=2, remat=remat)
        variables = stack.init(jax.random.key(0), X)
        return jax.jit(jax.grad(lambda x: jnp.square(stack.apply(variables, x)).sum()))(X)

    assert jnp.allclose(gradient(names("attention")), gradient(False), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("context", [None, Context(cache_size=5)], ids=["plain", "decoding"])
def test_names_leave_nothing_in_the_compiled_program(
    context: Context | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    attention = MultiHeadAttention(num_heads=2, mask=Causal())
    block = TransformerBlock(attention=attention, mlp=Apply(function=nn.silu))

    def program() -> str:
        variables = jax.eval_shape(lambda key: block.init(key, X, context), jax.random.key(0))

        def run(variables: Any, x: jax.Array) -> Any:
            return block.apply(variables, x, context, mutable=["cache"])

        return jax.jit(run).lower(variables, X).as_text()

    named = program()
    monkeypatch.setattr(blocks.layers.transformer_block, "checkpoint_name", lambda x, name: x)
    assert program() == named
