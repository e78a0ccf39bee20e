"""Laws 4, 5 and 6: what a token may know of the others."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws.case import BATCH, EMBED, SEQ, Case, drawn, first_embedding, gradients, jitted, run
from laws.cases import CASES

from blocks import Block, CausalLM, Context, Stack, find, override
from blocks.layers import stack_layers

MIXING = [case for case in CASES if case.mixes]
CAUSAL = [
    case for case in MIXING if not any(part.sees_ahead for part in find(case.block, Block).values())
]
CACHING = [case for case in CASES if case.caches]


def test_the_bidirectional_blocks_are_these() -> None:
    bidirectional = [case.name for case in MIXING if case not in CAUSAL]
    assert bidirectional == [
        *("head", "attention", "attention_relative", "attention_grid", "stack_grid"),
        *("linear_attention", "transient_global", "encoder"),
    ]


def influence(case: Case) -> np.ndarray:
    """How much the output at each position (rows) depends on each input (columns)."""
    arguments = case.arguments()
    variables = case.init(*arguments)
    ids = None
    if isinstance(case.block, CausalLM):
        case = dataclasses.replace(case, block=case.block.stack)
        variables = {"params": variables["params"]["stack"]}
        (ids,) = arguments
        arguments = (jnp.asarray(drawn(1, (BATCH, SEQ, EMBED))),)
    context = Context(x0=first_embedding(case, arguments[0]), tokens=ids)
    out = jax.eval_shape(lambda: run(case, variables, arguments, context))
    factors = drawn(2, out.shape)
    rows = []
    for position in range(SEQ):
        factor = np.where(np.arange(SEQ)[None, :, None] == position, factors, np.float32(0))
        _, gradient = gradients(case, variables, arguments, factor, Context(tokens=ids))
        rows.append(np.abs(gradient).sum(axis=(0, 2)))
    return np.stack(rows)


@pytest.mark.parametrize("case", MIXING, ids=str)
def test_no_gradient_comes_from_the_future(case: Case) -> None:
    future = np.triu(influence(case), 1)
    if case in CAUSAL:
        assert (future == 0.0).all()
    else:
        assert (future[np.triu_indices(SEQ, 1)] > 0.0).all()


@pytest.mark.parametrize("case", CAUSAL, ids=str)
def test_later_tokens_change_nothing_before_them(case: Case) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    changed = x.at[:, -1].set(x[:, 0])
    before, after = jitted(case, variables, (x,)), jitted(case, variables, (changed,))
    chex.assert_trees_all_equal(before[:, :-1], after[:, :-1])


@pytest.mark.parametrize("chunks", [(6,), (1,) * 6, (3, 1, 2), (1, 5)], ids=str)
@pytest.mark.parametrize("case", CACHING, ids=str)
def test_cached_equals_uncached(case: Case, chunks: tuple[int, ...]) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    cache, outputs, start = {}, [], 0
    for chunk in chunks:
        out, cache = jitted(
            case,
            {**variables, **cache},
            (x[:, start : start + chunk],),
            Context(cache_size=9),
            mutable=("cache",),
        )
        outputs.append(out)
        start += chunk
    chex.assert_trees_all_close(
        jnp.concatenate(outputs, axis=1), jitted(case, variables, (x,)), rtol=2e-5, atol=2e-5
    )


@pytest.mark.parametrize("case", CACHING, ids=str)
def test_decoding_compiles_once(case: Case) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    context = Context(cache_size=SEQ)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def decode(cache: dict, x: jax.Array) -> tuple[jax.Array, dict]:
        return run(case, {**variables, **cache}, (x,), context, mutable=["cache"])

    first, cache = jitted(case, variables, (x[:, :1],), context, mutable=("cache",))
    outputs = [first]
    for t in range(1, SEQ):
        out, cache = decode(cache, x[:, t : t + 1])
        outputs.append(out)
    chex.assert_trees_all_close(
        jnp.concatenate(outputs, axis=1), jitted(case, variables, (x,)), rtol=2e-5, atol=2e-5
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("case", MIXING, ids=str)
def test_padding_changes_nothing_for_real_tokens(case: Case, side: str) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    junk = case.arguments(seed=5)[0][:, :2]
    pad, real = jnp.zeros((BATCH, 2), bool), jnp.ones((BATCH, SEQ), bool)
    parts = (junk, x) if side == "left" else (x, junk)
    marks = (pad, real) if side == "left" else (real, pad)
    padded = jitted(
        case,
        variables,
        (jnp.concatenate(parts, axis=1),),
        Context(valid=jnp.concatenate(marks, axis=1)),
    )
    kept = padded[:, 2:] if side == "left" else padded[:, :-2]
    assert jnp.isfinite(padded).all()
    chex.assert_trees_all_close(kept, jitted(case, variables, (x,)), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", MIXING, ids=str)
def test_packed_documents_do_not_see_each_other(case: Case) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    row = x.reshape(1, BATCH * SEQ, *x.shape[2:])
    document = jnp.repeat(jnp.arange(BATCH), SEQ)[None]
    position = jnp.tile(jnp.arange(SEQ), BATCH)[None]
    packed = Context(positions=position, segment_ids=document)
    alone = Context()
    if case.memory:  # each document has one of its own
        memory = jnp.asarray(drawn(3, (BATCH, case.memory, EMBED)))
        alone = alone.replace(memory=memory)
        packed = packed.replace(
            memory=memory.reshape(1, -1, EMBED),
            memory_segment_ids=jnp.repeat(jnp.arange(BATCH), case.memory)[None],
        )
    packed = jitted(case, variables, (row,), packed)
    alone = jitted(case, variables, (x,), alone)
    chex.assert_trees_all_close(packed.reshape(alone.shape), alone, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", MIXING, ids=str)
def test_a_row_that_sees_nothing_is_finite(case: Case) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    context = Context(valid=jnp.zeros((BATCH, SEQ), bool))

    def total(variables: dict) -> jax.Array:
        return run(case, variables, (x,), context).sum()

    chex.assert_tree_all_finite(jax.jit(jax.value_and_grad(total))(variables))


@pytest.mark.parametrize("case", MIXING, ids=str)
def test_the_order_of_a_batch_does_not_matter(case: Case) -> None:
    (x,) = case.arguments()
    variables = case.init(x)
    turned, plain = jitted(case, variables, (x[::-1],))[::-1], jitted(case, variables, (x,))
    # Rounding is that of the largest numbers, which others are differences of.
    largest = max(1.0, float(jnp.abs(plain).max()))
    chex.assert_trees_all_close(turned, plain, rtol=1e-6, atol=1e-6 * largest)


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
@pytest.mark.parametrize(
    "remat", [True, jax.checkpoint_policies.dots_saveable], ids=["all", "dots saved"]
)
def test_scan_and_remat_change_no_gradient(scan: bool, remat: object) -> None:
    plain = next(case for case in CASES if case.name == "stack")
    (x,) = plain.arguments()
    params = plain.init(x)["params"]

    def gradient(stack: Stack, params: dict) -> dict:
        loss = jax.grad(lambda p: jnp.square(stack.apply({"params": p}, x)).sum())
        return jax.jit(loss)(params)

    expected = gradient(plain.block, params)
    changed = override(plain.block, scan=scan, remat=remat)
    got = gradient(changed, stack_layers(params) if scan else params)
    chex.assert_trees_all_close(
        got, stack_layers(expected) if scan else expected, rtol=1e-4, atol=1e-4
    )
