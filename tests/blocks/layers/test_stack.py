"""Stacks: patterns, names of parameters, and conversion between the loop's and the scan's."""

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import MLP, Block, Context, GatedMLP, Stack
from blocks.layers import stack_layers, unstack_layers

EMBED = 4
X = normal(0, (2, 3, EMBED))
# Blocks that are quick to compile: the laws run stacks of whole transformer blocks.
WIDE, GATED = MLP(hidden=6), GatedMLP(hidden=5)


class Plus(Block, kw_only=True):
    """Adds a learned number, then multiplies: the order of layers shows in the result."""

    factor: float

    @nn.compact
    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> jax.Array:
        number = self.param("number", nn.initializers.normal(1.0), (), jnp.float32)
        return self.factor * (x + number[None, None, None])


def test_layers_run_in_the_order_of_the_pattern() -> None:
    stack = Stack(block=(Plus(factor=2.0), Plus(factor=3.0)), depth=5)
    params = {f"layer_{i}": {"number": jnp.float32(10.0**i)} for i in range(5)}
    want = np.asarray(X, np.float64)
    for index in range(5):
        want = (3.0 if index % 2 else 2.0) * (want + 10.0**index)
    np.testing.assert_allclose(jitted(stack, {"params": params}, X), want, rtol=1e-5)


def test_a_scan_runs_the_pattern_repeat_by_repeat() -> None:
    stack = Stack(block=(Plus(factor=2.0), Plus(factor=3.0)), depth=4, scan=True)
    params = {
        "layers_0": {"number": jnp.array([1.0, 100.0])},
        "layers_1": {"number": jnp.array([10.0, 1000.0])},
    }
    want = np.asarray(X, np.float64)
    for index in range(4):
        want = (3.0 if index % 2 else 2.0) * (want + 10.0**index)
    np.testing.assert_allclose(jitted(stack, {"params": params}, X), want, rtol=1e-5)


def names(stack: Stack) -> dict[str, Any]:
    return jax.tree.map(jnp.shape, jax.eval_shape(stack.init, jax.random.key(0), X)["params"])


def test_names_of_parameters() -> None:
    plus = Plus(factor=2.0)
    assert names(Stack(block=plus, depth=2)) == {
        "layer_0": {"number": ()},
        "layer_1": {"number": ()},
    }
    assert names(Stack(block=plus, depth=2, scan=True)) == {"layers": {"number": (2,)}}
    assert names(Stack(block=(plus, plus), depth=6, scan=True)) == {
        "layers_0": {"number": (3,)},
        "layers_1": {"number": (3,)},
    }


@pytest.mark.parametrize("pattern", [WIDE, (WIDE, GATED)], ids=["one", "two"])
def test_scan_equals_loop_by_conversion(pattern: Any) -> None:
    loop, scan = Stack(block=pattern, depth=4), Stack(block=pattern, depth=4, scan=True)
    params = drawn_variables(loop, X, seed=1)["params"]
    stacked = stack_layers(params, len(pattern) if isinstance(pattern, tuple) else 1)
    assert jax.tree.map(jnp.shape, stacked) == names(scan)
    chex.assert_trees_all_equal(unstack_layers(stacked), params)
    got = jax.jit(scan.apply)({"params": stacked}, X)
    np.testing.assert_allclose(got, jax.jit(loop.apply)({"params": params}, X), rtol=1e-5)


def test_scanned_parameters_survive_the_round_trip() -> None:
    scan = Stack(block=(WIDE, GATED), depth=4, scan=True)
    params = drawn_variables(scan, X, seed=1)["params"]
    chex.assert_trees_all_equal(stack_layers(unstack_layers(params), 2), params)


def test_more_than_ten_layers_keep_their_order() -> None:
    params = {f"layer_{i}": {"number": jnp.float32(i)} for i in range(12)}
    np.testing.assert_array_equal(stack_layers(params)["layers"]["number"], np.arange(12.0))
    two = stack_layers(params, 2)
    np.testing.assert_array_equal(two["layers_1"]["number"], np.arange(1.0, 12.0, 2.0))
    chex.assert_trees_all_equal(unstack_layers(two), params)


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_remat_of_a_pattern_changes_no_gradient(scan: bool) -> None:
    def gradient(stack: Stack) -> Any:
        params = jax.jit(stack.init)(jax.random.key(1), X)["params"]
        return jax.jit(jax.grad(lambda p: jnp.square(stack.apply({"params": p}, X)).sum()))(params)

    plain = Stack(block=(WIDE, GATED), depth=2, scan=scan)
    remat = Stack(block=(WIDE, GATED), depth=2, scan=scan, remat=True)
    chex.assert_trees_all_close(gradient(remat), gradient(plain), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_remat_keeps_less_for_the_backward_pass(scan: bool) -> None:
    class Sines(Block, kw_only=True):
        def __call__(self, x: jax.Array, *_: object) -> jax.Array:
            return jnp.sin(jnp.sin(jnp.sin(x)))

    def kept(remat: Any) -> int:
        stack = Stack(block=Sines(), depth=2, scan=scan, remat=remat)
        _, backward = jax.vjp(lambda x: stack.apply({}, x), X)
        return sum(leaf.size for leaf in jax.tree.leaves(backward)) // X.size

    # Three cosines for each of two layers, or the input of each alone.
    assert kept(False) == 6
    assert kept(True) == 2
    assert kept(jax.checkpoint_policies.nothing_saveable) == 2
    assert kept(jax.checkpoint_policies.everything_saveable) > 2


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_layers_drop_different_features(scan: bool) -> None:
    class Drop(Plus, kw_only=True):
        @nn.compact
        def __call__(
            self, x: jax.Array, context: Context | None = None, deterministic: bool = True
        ) -> jax.Array:
            return nn.Dropout(0.5)(x, deterministic)

    stack = Stack(block=Drop(factor=1.0), depth=2, scan=scan)
    x = jnp.ones((1, 100, 10))
    got = jitted(stack, {}, x, None, False, rngs={"dropout": jax.random.key(0)})
    # One mask twice would keep a half and make fours of it; two keep a quarter.
    assert float((got == 4.0).mean()) == pytest.approx(0.25, abs=0.05)
    assert float((got == 0.0).mean()) == pytest.approx(0.75, abs=0.05)


class Noise(Block, kw_only=True):
    """Adds noise from a stream of its own, and counts its calls in a collection of its own."""

    @nn.compact
    def __call__(
        self, x: jax.Array, context: Context | None = None, deterministic: bool = True
    ) -> jax.Array:
        noise = jax.random.normal(self.make_rng("noise"), x.shape)
        self.sow("drawn", "noise", noise)
        return x + noise


@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("how", [{}, {"scan": True}, {"shared": True}], ids=str)
def test_every_layer_draws_from_a_stream_of_ones_own(how: dict[str, bool], remat: bool) -> None:
    stack = Stack(block=Noise(), depth=3, remat=remat, **how)
    y, left = jitted(stack, {}, X, rngs={"noise": jax.random.key(0)}, mutable=["drawn"])
    drawn = jnp.concatenate([leaf.reshape(-1, *X.shape) for leaf in jax.tree.leaves(left)])
    assert len({float(noise[0, 0, 0]) for noise in drawn}) == 3
    np.testing.assert_allclose(y, X + drawn.sum(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_a_stream_that_is_not_given_is_named(scan: bool) -> None:
    with pytest.raises(Exception, match="noise"):
        Stack(block=Noise(), depth=2, scan=scan).apply({}, X)


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_the_stream_keeps_its_dtype(scan: bool) -> None:
    class Wide(Block, kw_only=True):
        def __call__(self, x: jax.Array, *_: object) -> jax.Array:
            return x.astype(jnp.float32)

    stack = Stack(block=Wide(), depth=2, scan=scan)
    assert jitted(stack, {}, X.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("depth", [0, -1])
def test_no_layer_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth={depth} must be at least 1\."):
        Stack(block=WIDE, depth=depth)


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match=r"block=\(\) holds no layer; give at least one\."):
        Stack(block=(), depth=1)


@pytest.mark.parametrize(("depth", "better"), [(5, 4), (1, 2)])
def test_a_scan_over_part_of_a_pattern_is_refused(depth: int, better: int) -> None:
    match = (
        rf"depth={depth} must be a multiple of the pattern's 2 blocks to scan; "
        rf"use {better}, or scan=False\."
    )
    with pytest.raises(ValueError, match=match):
        Stack(block=(WIDE, GATED), depth=depth, scan=True)
    assert Stack(block=(WIDE, GATED), depth=depth).depth == depth
    assert Stack(block=(WIDE, GATED), depth=better, scan=True).depth == better


LAYER = {"number": jnp.float32(0.0)}


@pytest.mark.parametrize(
    "params", [{}, {"layers": LAYER}, {"layer_1": LAYER}, {"stack": {"layer_0": LAYER}}], ids=str
)
def test_names_that_are_no_loops_are_refused(params: dict[str, Any]) -> None:
    match = r"expected layer_0, layer_1, \.\.\. of a Stack\(scan=False\), got \[.*\]; pass the"
    with pytest.raises(ValueError, match=match):
        stack_layers(params)


@pytest.mark.parametrize("params", [None, 3, [LAYER]], ids=repr)
@pytest.mark.parametrize("convert", [stack_layers, unstack_layers])
def test_what_is_no_dict_of_layers_is_refused(convert: Callable, params: Any) -> None:
    with pytest.raises(ValueError, match=r"^(un)?stack_layers: expected .* of a Stack\(scan="):
        convert(params)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"number": jnp.zeros(2)}, r"misshapen:  number \(2,\), where layer_0 has \(\)"),
        ({"number": 0, "more": jnp.zeros(2)}, r"left over:  more \(2,\)\n  no array:   number"),
        ({}, r"missing:    number \(\)"),
    ],
    ids=["shape", "more", "none"],
)
def test_layers_that_differ_are_not_stacked(other: Any, said: str) -> None:
    params = {"layer_0": LAYER, "layer_1": LAYER, "layer_2": other, "layer_3": LAYER}
    with pytest.raises(
        ValueError, match=rf"layer_2 has other parameters than layer_0, .*\n  {said}"
    ):
        stack_layers(params, 2)


@pytest.mark.parametrize("other", [jnp.zeros(2), jnp.zeros(())], ids=["repeats", "scalar"])
def test_different_numbers_of_repeats_are_not_unstacked(other: jax.Array) -> None:
    with pytest.raises(ValueError, match=r"first axes of the parameters are \[.*one number of rep"):
        unstack_layers({"layers": {"a": jnp.zeros((4, 3)), "b": other}})


@pytest.mark.parametrize("pattern", [0, 2])
def test_a_pattern_that_does_not_divide_is_refused(pattern: int) -> None:
    params = {f"layer_{i}": LAYER for i in range(3)}
    with pytest.raises(ValueError, match=rf"pattern={pattern} must divide the 3 layers\."):
        stack_layers(params, pattern)


@pytest.mark.parametrize(
    "params", [{}, {"layer_0": LAYER}, {"layers": LAYER, "layers_1": LAYER}], ids=str
)
def test_names_that_are_no_scans_are_refused(params: dict[str, Any]) -> None:
    match = r"expected `layers`, or layers_0, \.\.\., of a Stack\(scan=True\), got \[.*\]; pass"
    with pytest.raises(ValueError, match=match):
        unstack_layers(params)


def test_what_does_not_fit_is_refused_by_name() -> None:
    stack, key = Stack(block=WIDE, depth=1), jax.random.key(0)
    with pytest.raises(TypeError, match=r"Stack: argument `x`.*\n.*\n  actual:   f32\[3,4\]"):
        stack.init(key, X[0])
    with pytest.raises(TypeError, match=r"Stack: argument `x`.*\n.*Float.*\n.*i32\[2,3,4\]"):
        stack.init(key, X.astype(jnp.int32))


def test_shared_layers_are_one_layer_run_again() -> None:
    shared = Stack(block=WIDE, depth=3, shared=True)
    want, variables = X, drawn_variables(shared, X)
    own = {"params": variables["params"]["layers"]}
    for _ in range(3):
        want = jitted(WIDE, own, want)
    np.testing.assert_allclose(jitted(shared, variables, X), want, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_shared_layers_is_the_sum_over_their_places() -> None:
    stack = Stack(block=Plus(factor=2.0), depth=3, shared=True)
    variables = {"params": {"layers": {"number": jnp.float32(1.0)}}}
    # y = 8 x + (8 + 4 + 2) number
    gradient = jax.jit(jax.grad(lambda v: stack.apply(v, X).mean()))(variables)
    np.testing.assert_allclose(gradient["params"]["layers"]["number"], 14.0, rtol=1e-6)


def test_shared_layers_must_be_whole_repeats() -> None:
    message = r"depth=3 must be a multiple of the pattern's 2 blocks to share; use 2\."
    with pytest.raises(ValueError, match=message):
        Stack(block=(WIDE, GATED), depth=3, shared=True)


def test_a_loop_draws_its_layers_by_as_many_programs_whatever_its_depth() -> None:
    def draws(depth: int) -> int:
        stack = Stack(block=WIDE, depth=depth)
        text = jax.jit(stack.init).lower(jax.random.key(0), X).as_text()
        return text.count("chlo.erf")

    assert draws(8) == draws(2) > 0


def test_layers_of_a_loop_start_apart() -> None:
    params = Stack(block=WIDE, depth=3).init(jax.random.key(0), X)["params"]
    kernels = {tuple(own["up"]["kernel"].ravel().tolist()) for own in params.values()}
    assert len(kernels) == 3
