"""Initialisation of a loop: drawn together where it can be, and by each layer where it must be."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import MLP, Block, Context, SkipStack, Stack, checked

X = jnp.arange(48.0).reshape(2, 3, 8) / 48
KEYS = {"params": jax.random.key(0), "other": jax.random.key(1)}
calls: list[str] = []


class Scaled(Block, kw_only=True):
    """Multiplies by a parameter that `start` makes of the input, the context and a key."""

    start: Callable[..., jax.Array]

    @nn.compact
    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> jax.Array:
        other = self.make_rng("other")
        scale = self.param("scale", lambda key: self.start(x=x, context=context, other=other))
        return x * scale


def scales(stack: Block, *context: Context) -> list[np.ndarray]:
    params = stack.init(KEYS, X, *context)["params"]
    layers = sorted(name for name in params if name.startswith("layer_"))
    return [np.asarray(params[name]["scale"]) for name in layers]


def spread(x: jax.Array, **_: Any) -> jax.Array:
    return 1 + x.std()


@pytest.mark.parametrize("block", [Stack, SkipStack])
def test_a_parameter_made_of_the_input_is_made_of_its_own_layers(block: Any) -> None:
    x, expected, outputs = np.asarray(X), [], []
    for index in range(4):
        if block is SkipStack and index >= 2:
            x = x + outputs.pop()
        expected.append(1 + x.std())
        x = x * expected[-1]
        if index < 2:
            outputs.append(x)
    got = scales(block(block=Scaled(start=spread), depth=4))
    np.testing.assert_allclose(got, expected[: len(got)], rtol=1e-5)


def test_a_parameter_made_of_the_input_is_the_same_under_jit() -> None:
    stack = Stack(block=Scaled(start=spread), depth=3)
    jitted = jax.jit(stack.init)(KEYS, X)["params"]
    for index, scale in enumerate(scales(stack)):
        np.testing.assert_allclose(jitted[f"layer_{index}"]["scale"], scale, rtol=1e-6)


def test_a_parameter_made_of_the_context_is_that_of_the_call() -> None:
    context = Context(condition=jnp.full((2, 4), 3.0))
    block = Scaled(start=lambda context, **_: context.condition[0, 0])
    np.testing.assert_array_equal(scales(Stack(block=block, depth=2), context), [3.0, 3.0])


def test_a_parameter_of_another_stream_of_keys_is_drawn_from_it() -> None:
    block = Scaled(start=lambda other, **_: jax.random.normal(other))
    drawn = scales(Stack(block=block, depth=3))
    again = Stack(block=block, depth=3).init({**KEYS, "other": jax.random.key(2)}, X)["params"]
    assert len({float(scale) for scale in drawn}) == 3
    assert float(again["layer_0"]["scale"]) != float(drawn[0])


def test_a_layer_that_needs_values_is_initialised_by_its_own_call() -> None:
    block = Scaled(start=lambda x, **_: jnp.ones(()) if x.sum() > 0 else jnp.zeros(()))
    np.testing.assert_array_equal(scales(Stack(block=block, depth=2)), [1.0, 1.0])


def test_an_error_of_drawing_is_not_hidden() -> None:
    def fails_once(**_: Any) -> jax.Array:
        calls.append("called")
        if len(calls) == 1:
            raise OSError("the disk is full")
        return jnp.ones(())

    calls.clear()
    with pytest.raises(OSError, match="the disk is full"):
        Stack(block=Scaled(start=fails_once), depth=2).init(KEYS, X)


def test_checks_of_values_do_not_change_what_is_drawn() -> None:
    stack = Stack(block=MLP(hidden=4), depth=2)
    plain, watched = stack.init(KEYS, X), checked(stack.init)(KEYS, X)
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(watched), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("inner", [{}, {"scan": True}, {"remat": True}], ids=str)
def test_layers_that_are_stacks_are_drawn_together(inner: dict[str, bool]) -> None:
    """The number of generators in the program does not grow with the depth."""

    def generators(depth: int) -> int:
        stack = Stack(block=Stack(block=MLP(hidden=4), depth=2, **inner), depth=depth)
        return jax.jit(stack.init).lower(KEYS, X).as_text().count("call @_truncated_normal")

    assert generators(2) == generators(5) > 0
