"""What layers leave for later ones: by a stack, and by a loop of one's own."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    MLP,
    Block,
    Context,
    MultiHeadAttention,
    SkipStack,
    Stack,
    TransformerBlock,
    ValueResidual,
)
from blocks.carry import Carry, join_carry, split_carry

X = jax.random.normal(jax.random.key(0), (2, 3, 4))
LAYER = TransformerBlock(
    attention=MultiHeadAttention(num_heads=2, values=(ValueResidual(),)), mlp=MLP(hidden=8)
)


class Sum(Block, kw_only=True):
    """Adds its input to a running sum, and returns it plus the sum of all inputs before it."""

    def __call__(self, x: jax.Array, context: Context, deterministic: bool = True) -> Any:
        assert context.carry is not None
        before = context.carry.get("sum", jnp.zeros_like(x))
        after = context.replace(carry=context.carry | {"sum": before + x})
        return join_carry(x + before, after, context)


def test_a_carry_is_never_changed() -> None:
    before = Carry({"a": X})
    after = before | {"b": X}
    assert (list(before), list(after)) == (["a"], ["a", "b"])
    with pytest.raises(TypeError, match="does not support item assignment"):
        before["b"] = X  # pyright: ignore[reportIndexIssue]


def test_a_carry_is_a_pytree() -> None:
    doubled = jax.jit(lambda carry: jax.tree.map(lambda a: 2 * a, carry))(Carry({"b": X, "a": X}))
    assert isinstance(doubled, Carry)
    chex.assert_trees_all_equal(dict(doubled), {"a": 2 * X, "b": 2 * X})


def test_a_jitted_loop_of_ones_own_is_a_stack() -> None:
    variables = Stack(block=LAYER, depth=2).init(jax.random.key(1), X)

    @jax.jit
    def looped(params: Any, x: jax.Array, context: Context) -> tuple[jax.Array, Context]:
        for name in ("layer_0", "layer_1"):
            result: Any = LAYER.apply({"params": params[name]}, x, context)
            x, context = split_carry(result, context)
        return x, context

    given = Context(carry=Carry())
    with jax.checking_leaks():
        y, context = looped(variables["params"], X, given)
    chex.assert_trees_all_close(y, Stack(block=LAYER, depth=2).apply(variables, X), rtol=1e-5)
    assert list(context.carry or ()) == ["first_value"]
    assert not given.carry


def test_one_context_serves_init_and_apply() -> None:
    context = Context(carry=Carry())
    variables = LAYER.init(jax.random.key(1), X, context)
    first, again = (LAYER.apply(variables, X, context) for _ in range(2))
    chex.assert_trees_all_equal(first, again)


@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("kind", [Stack, SkipStack])
def test_a_stack_in_a_loop_passes_on_what_its_layers_left(kind: type, remat: bool) -> None:
    stack = kind(block=LAYER, depth=2, remat=remat)
    context = Context(carry=Carry())
    result, _ = stack.init_with_output(jax.random.key(1), X, context)
    y, after = split_carry(result, context)
    assert y.shape == X.shape
    assert list(after.carry or ()) == ["first_value"]


def test_a_layer_that_leaves_nothing_returns_its_result_alone() -> None:
    block = TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=MLP(hidden=8))
    y, _ = block.init_with_output(jax.random.key(1), X, Context(carry=Carry()))
    assert y.shape == X.shape


@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("scan", [False, True])
def test_layers_update_a_running_sum(scan: bool, remat: bool) -> None:
    stack = Stack(block=Sum(), depth=3, scan=scan, remat=remat)
    context = Context(carry=Carry({"sum": jnp.zeros_like(X)}))
    y, after = split_carry(stack.apply({}, X, context), context)
    # Inputs are x, x and 2x; sums before them 0, x and 2x.
    np.testing.assert_allclose((after.carry or {})["sum"], 4 * X, rtol=1e-6)
    np.testing.assert_allclose(y, 4 * X, rtol=1e-6)


def test_a_carry_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="mine came back from a call without one"):
        split_carry((X, Carry({"mine": X})), None)


def test_gradients_run_through_what_a_layer_left() -> None:
    class Read(Block, kw_only=True):
        @nn.compact
        def __call__(self, x: jax.Array, context: Context, deterministic: bool) -> Any:
            assert context.carry is not None
            if "first" not in context.carry:
                return jnp.zeros_like(x), context.carry | {"first": 2 * x}
            return context.carry["first"]

    stack = Stack(block=Read(), depth=2, remat=True)
    np.testing.assert_allclose(jax.grad(lambda x: stack.apply({}, x).sum())(X), 2.0)
