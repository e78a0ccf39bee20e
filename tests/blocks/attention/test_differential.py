"""What differential attention is beside the law that holds it to its formula."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import pytest

from blocks import (
    ALiBi,
    Causal,
    ChunkedAttention,
    Context,
    DifferentialAttention,
    Int8Cache,
    LearnedSinks,
    MultiHeadAttention,
    SoftCap,
)

X = jax.random.normal(jax.random.key(1), (2, 6, 16))


def start(**fields: Any) -> tuple[DifferentialAttention, dict]:
    block = DifferentialAttention(
        **{"num_heads": 4, "num_kv_heads": 2, "layer": 2, "mask": Causal(), **fields}
    )
    return block, jax.jit(block.init)(jax.random.key(0), X)


@pytest.mark.parametrize(("layer", "value"), [(1, 0.2), (2, 0.3555091), (28, 0.7998179)])
def test_what_is_subtracted_at_the_start_grows_with_depth(layer: int, value: float) -> None:
    """The paper's values, from 0.2 to 0.8."""
    block = DifferentialAttention(num_heads=2, layer=layer)
    assert block.lambda_init == pytest.approx(value, abs=1e-6)


def test_another_kernel_attends_alike() -> None:
    kernel = ChunkedAttention(query_chunk=4, key_chunk=4)
    fields = {"scores": (ALiBi(), SoftCap(cap=2.0)), "sinks": LearnedSinks()}
    block, variables = start(**fields)
    other, _ = start(implementation=kernel, **fields)
    chex.assert_trees_all_close(
        jax.jit(other.apply)(variables, X), jax.jit(block.apply)(variables, X), rtol=1e-5, atol=1e-5
    )


def test_both_maps_of_a_head_share_its_slope_and_its_sink() -> None:
    """With equal maps and all of the second subtracted nothing is left but the output's bias."""
    block, variables = start(scores=(ALiBi(),), sinks=LearnedSinks())
    params = variables["params"]
    for name in ("query", "key"):
        halves = jnp.split(params[name]["kernel"], 2, axis=-1)
        params[name]["kernel"] = jnp.concatenate([halves[0], halves[0]], axis=-1)
    # The exponent's difference is 1 - lambda_init where the first product is its logarithm.
    ones = jnp.ones(2)
    params |= {"lambda_q1": ones, "lambda_q2": 0 * ones}
    params["lambda_k1"] = ones * jnp.log(2.0 - block.lambda_init) / 2
    y = jax.jit(block.apply)(variables, X)
    chex.assert_trees_all_close(y, jnp.zeros_like(y), atol=1e-3)


def test_a_cache_keeps_a_value_once() -> None:
    block, _ = start(num_heads=2)
    plain = MultiHeadAttention(num_heads=4, num_kv_heads=4, mask=Causal())
    sizes = []
    for attention in (block, plain):
        made = jax.eval_shape(attention.init, jax.random.key(0), X, Context(cache_size=8))
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(made["cache"])))
    assert sizes[0] == sizes[1]


def test_decodes_from_a_cache_of_eight_bits() -> None:
    block, variables = start(cache=Int8Cache())
    context, outputs = Context(cache_size=6), []
    apply = jax.jit(block.apply, static_argnames="mutable")
    for part in (X[:, :4], X[:, 4:]):
        y, cache = apply(variables, part, context, mutable=("cache",))
        variables = {**variables, **cache}
        outputs.append(y)
    exact = jax.jit(block.apply)({"params": variables["params"]}, X)
    error = jnp.linalg.norm(jnp.concatenate(outputs, axis=1) - exact) / jnp.linalg.norm(exact)
    assert 0 < error < 0.05


def test_heads_that_cannot_have_two_queries_are_refused() -> None:
    with pytest.raises(ValueError, match=r"num_heads=4 must divide half of embed=4, as every"):
        DifferentialAttention(num_heads=4, layer=1).init(jax.random.key(0), jnp.ones((1, 3, 4)))


def test_layers_count_from_one() -> None:
    with pytest.raises(ValueError, match=r"layer=0 must be at least 1; the first layer is 1"):
        DifferentialAttention(num_heads=2, layer=0)
