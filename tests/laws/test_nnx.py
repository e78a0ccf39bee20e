"""Law 11: under `flax.nnx.bridge.ToNNX` a block computes what it computes in Linen."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.nnx import bridge
from flax.nnx.bridge.variables import linen_vars_to_nnx_attrs, nnx_attrs_to_linen_vars
from flax.traverse_util import flatten_dict
from laws.case import Case, jitted, run
from laws.cases import CASES

from blocks import Context, find

every_block = pytest.mark.parametrize("case", CASES, ids=str)
DROPPING = [
    case
    for case in CASES
    if any(getattr(part, "dropout_rate", 0.0) for part in find(case.block, nn.Module).values())
]
CACHING = [case for case in CASES if case.caches]


def bridged(case: Case, variables: Any, seed: int = 0) -> bridge.ToNNX:
    """The block under NNX with these variables, which a checkpoint of Linen might hold."""
    module = bridge.ToNNX(case.block, rngs=nnx.Rngs(params=0, dropout=seed))
    for name, value in linen_vars_to_nnx_attrs(variables).items():
        setattr(module, name, nnx.data(value))
    return module


def variables_of(module: bridge.ToNNX) -> dict[tuple[str, ...], Any]:
    """The variables in an NNX module, by collection and path as Linen has them."""
    attributes = {
        name: value for name, value in vars(module).items() if not name.startswith(("to_nnx", "_"))
    }
    return flatten_dict(nnx_attrs_to_linen_vars(attributes))


@every_block
def test_nnx_makes_the_variables_of_linen(case: Case) -> None:
    arguments = case.call(*case.arguments())

    def make() -> bridge.ToNNX:
        return bridge.ToNNX(case.block, rngs=nnx.Rngs(0)).lazy_init(*arguments)

    made = variables_of(nnx.eval_shape(make))
    linen = jax.eval_shape(lambda key: case.block.init(key, *arguments), jax.random.key(0))
    linen = flatten_dict(linen)
    assert jax.tree.map(jnp.shape, made) == jax.tree.map(jnp.shape, linen)


@every_block
def test_results_and_gradients_under_nnx_jit_are_those_of_linen(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)

    @nnx.jit
    def both(module: bridge.ToNNX, variables: Any, arguments: Any) -> Any:
        def ours(module: bridge.ToNNX) -> tuple[jax.Array, jax.Array]:
            out = module(*case.call(*arguments))
            return jnp.square(out).sum(), out

        def linen(params: Any) -> tuple[jax.Array, jax.Array]:
            out = run(case, {**variables, **params}, arguments)
            return jnp.square(out).sum(), out

        params = {name: variables[name] for name in ("params",) if name in variables}
        expected = jax.grad(linen, has_aux=True)(params) if params else ({}, linen({})[1])
        return nnx.grad(ours, has_aux=True)(module), expected

    (gradients, out), (expected_gradients, expected) = both(
        bridged(case, variables), variables, arguments
    )
    chex.assert_trees_all_close(out, expected, rtol=1e-6, atol=1e-6)
    got = {
        path: leaf[...]
        for path, leaf in nnx.to_flat_state(gradients)
        if not path[0].startswith("to_nnx")
    }
    wanted = flatten_dict(expected_gradients.get("params", {}))
    # Of the largest: a key's bias has no gradient but what rounding leaves of the others.
    largest = max((float(jnp.abs(leaf).max()) for leaf in wanted.values()), default=0.0)
    chex.assert_trees_all_close(got, wanted, rtol=1e-5, atol=1e-5 * largest)


@pytest.mark.parametrize("case", DROPPING, ids=str)
def test_dropout_follows_the_stream_of_nnx(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)

    @nnx.jit
    def drop(module: bridge.ToNNX, arguments: Any) -> jax.Array:
        context = case.context(arguments[0].shape)
        shared = (context, False) if case.shared else ()
        return module(*arguments, *shared)

    module, same, other = (bridged(case, variables, seed) for seed in (0, 0, 1))
    first, second = drop(module, arguments), drop(module, arguments)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, drop(other, arguments))
    chex.assert_trees_all_equal(first, drop(same, arguments))


@pytest.mark.parametrize("case", CACHING, ids=str)
def test_cached_decoding_under_nnx_equals_linen_without_a_cache(case: Case) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    module = bridged(case, variables)

    @nnx.jit
    def decode(module: bridge.ToNNX, x: jax.Array) -> jax.Array:
        context = case.context(x.shape, Context(cache_size=6))
        return module(x, context, mutable=["cache"])

    half = x.shape[1] // 2
    out = jnp.concatenate([decode(module, x[:, :half]), decode(module, x[:, half:])], axis=1)
    chex.assert_trees_all_close(out, jitted(case, variables, (x,)), rtol=2e-5, atol=2e-5)
