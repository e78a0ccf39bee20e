"""Laws 1, 2, 3, 9 and 10: what a block computes, from what, and with how many parameters."""

import dataclasses
import inspect

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from laws.case import BATCH, SEQ, Case, gradients, jitted, run
from laws.cases import CASES, FAMILIES
from laws.references import reference
from laws.snapshot import FOLDER, snapshot
from public_names import BLOCKS, PUBLIC

import blocks
from blocks import Context, Linear, find, override

every_block = pytest.mark.parametrize("case", CASES, ids=str)


def test_every_public_block_is_on_the_list() -> None:
    kinds = set(BLOCKS.values())
    slots = {
        blocks.residual.Residual,
        blocks.moe.Router,
        blocks.heads.Pooler,
        blocks.attention.ScoreModification,
    }
    transforms = {
        blocks.attention.QKTransform,
        blocks.attention.ValueTransform,
        blocks.attention.HeadTransform,
    }
    abstract = {
        blocks.Block,
        blocks.recurrent.FeatureMap,
        blocks.attention.Sinks,
        *slots,
        *transforms,
    }
    listed = {type(part) for case in CASES for part in find(case.block, nn.Module).values()}
    missing = [
        f"no law case holds {kind.__name__}: add one, with what it computes in numpy, to "
        f"tests/laws/families/{kind.__module__.split('.')[1]}.py"
        for kind in kinds - abstract - listed
    ]
    assert not missing, "\n".join(missing)


@every_block
def test_matches_a_reference_in_float64(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables.get("params", {}))
    got = jitted(case, variables, arguments)
    others = [np.asarray(other, np.float64) for other in arguments[1:]]
    shared = case.context((BATCH,)) or Context()
    if case.memory:
        assert shared.memory is not None
        others.append(np.asarray(shared.memory[0], np.float64))
    if case.condition:
        assert shared.condition is not None
        others.append(np.asarray(shared.condition[0], np.float64))
    for row in range(BATCH):
        x = np.asarray(arguments[0][row])
        x = x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)
        np.testing.assert_allclose(
            got[row], reference(case.block, params, x, *others), rtol=2e-5, atol=2e-5
        )


@every_block
def test_a_missing_axis_is_refused_by_name(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    if isinstance(case.block, Linear):
        with pytest.raises(ValueError, match=r"x of shape \(\) has no axes=1 features"):
            run(case, variables, (arguments[0][0, 0, 0],))
        return
    # Pointwise blocks take any number of leading axes, but not none.
    pointwise = "*batch" in str(inspect.signature(case.block.__call__))
    first = arguments[0][0, 0, 0] if pointwise else arguments[0][0]
    with pytest.raises(TypeError, match=f"argument `{case.argument}`.*\n  expected: .*batch"):
        run(case, variables, (first, *arguments[1:]))


@every_block
def test_a_wrong_dtype_is_refused_by_name(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    other = jnp.float32 if jnp.issubdtype(arguments[0].dtype, jnp.integer) else jnp.int32
    with pytest.raises(TypeError, match=f"argument `{case.argument}`[^`]*\n  actual:   [fi]32"):
        run(case, variables, (arguments[0].astype(other), *arguments[1:]))


@every_block
def test_a_wrong_width_is_refused(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    fixed = any(leaf.ndim for leaf in jax.tree.leaves(variables.get("params", {})))
    if not fixed or jnp.issubdtype(arguments[0].dtype, jnp.integer):
        pytest.skip("no parameter fixes the width")
    # Twice the width: the heads of attention divide it as they did the right one.
    wide = jnp.concatenate([arguments[0]] * 2, axis=-1)
    match = r"argument `\w+` does not fit the parameter `\w+`\n  expected: .*\n  actual: "
    with pytest.raises(TypeError, match=match):
        run(case, variables, (wide, *arguments[1:]))


@every_block
def test_jit_equals_eager(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    eager = run(case, variables, arguments)
    chex.assert_trees_all_close(jitted(case, variables, arguments), eager, rtol=1e-5, atol=1e-5)


@every_block
def test_vmap_equals_a_loop(case: Case) -> None:
    first, *others = case.arguments()
    variables = case.init(first, *others)
    several = jnp.stack([case.arguments(seed)[0] for seed in range(3)])
    mapped = jax.jit(jax.vmap(lambda x: run(case, variables, (x, *others))))(several)
    looped = jnp.stack([jitted(case, variables, (x, *others)) for x in several])
    chex.assert_trees_all_close(mapped, looped, rtol=1e-5, atol=1e-5)


@every_block
def test_checks_leave_no_operation_behind(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)

    def jaxpr() -> str:
        return str(jax.make_jaxpr(lambda v, *a: run(case, v, a))(variables, *arguments))

    with_checks = jaxpr()
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        without_checks = jaxpr()
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert with_checks == without_checks


@every_block
def test_bfloat16_is_close_to_float32(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    exact = jitted(case, variables, arguments)
    low = dataclasses.replace(case, block=override(case.block, dtype=jnp.bfloat16))
    got = jitted(low, variables, arguments)
    error = jnp.linalg.norm(got.astype(jnp.float32) - exact) / jnp.linalg.norm(exact)
    assert 0 < error < 0.04, error


@every_block
def test_gradients_are_finite_at_extreme_inputs(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    floats = not jnp.issubdtype(arguments[0].dtype, jnp.integer)
    factor = np.ones(jax.eval_shape(lambda: run(case, variables, arguments)).shape, np.float32)
    context = Context() if case.mixes else None  # as another law has it compiled

    def grow(path: tuple, leaf: jax.Array, scale: np.float32) -> np.ndarray:
        return np.asarray(leaf) * scale if "embedding" in str(path[-1]) else leaf

    for scale in np.array([1e4, 1e-4, 0.0], np.float32):
        first, grown = np.asarray(arguments[0]), variables
        if floats:
            first = first * scale
        else:
            grown = jax.tree_util.tree_map_with_path(lambda p, x, s=scale: grow(p, x, s), variables)
        found = gradients(case, grown, (first, *arguments[1:]), factor, context)
        chex.assert_tree_all_finite(found)


@every_block
def test_parameters_are_as_many_as_the_formula_says(case: Case) -> None:
    params = case.init(*case.arguments()).get("params", {})
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == case.parameters


@pytest.mark.parametrize("family", FAMILIES)
def test_parameter_names_are_stable(family: str) -> None:
    noted, file = snapshot(family), FOLDER / f"{family}.json"
    same = file.exists() and file.read_text() == noted
    assert same, (
        f"names or shapes of parameters differ from {file.name}: run "
        "`PYTHONPATH=tests python -m laws.snapshot` to renew it, and read the difference"
    )


@every_block
def test_equal_values_make_equal_parameters(case: Case) -> None:
    arguments = case.call(*case.arguments())
    twin = eval(repr(case.block), {**PUBLIC, "silu": nn.silu})
    assert twin == case.block
    # The same operations on the same key: no need to compile and run them.
    key = jax.random.key(3)
    ours, theirs = (
        jax.make_jaxpr(lambda key, block=block: block.init(key, *arguments))(key)
        for block in (case.block, twin)
    )
    assert str(ours) == str(theirs)
    chex.assert_trees_all_equal(ours.consts, theirs.consts)


@every_block
def test_dropout_follows_its_key(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)
    rates = [getattr(part, "dropout_rate", 0.0) for part in find(case.block, nn.Module).values()]
    if not any(rates):
        pytest.skip("has no dropout")

    def dropped(seed: int, rate: float | None = None) -> jax.Array:
        block = case.block if rate is None else override(case.block, dropout_rate=rate)
        changed = dataclasses.replace(case, block=block)
        return jitted(changed, variables, arguments, None, False, jax.random.key(seed))

    still = jitted(case, variables, arguments)
    chex.assert_trees_all_equal(dropped(0), dropped(0))
    assert not np.array_equal(dropped(0), dropped(1))
    assert not np.array_equal(dropped(0), still)
    chex.assert_trees_all_close(dropped(0, rate=0.0), still, rtol=1e-6, atol=1e-6)


@every_block
def test_shapes_of_results_are_those_of_the_signature(case: Case) -> None:
    arguments = case.arguments()
    out = jax.eval_shape(lambda: run(case, case.init(*arguments), arguments))
    assert out.shape[:2] == ((BATCH, 3) if case.pools else (BATCH, SEQ))
    assert out.dtype == jnp.float32


@pytest.mark.parametrize("case", [case for case in CASES if case.shared], ids=str)
def test_context_may_be_left_out(case: Case) -> None:
    arguments = case.arguments()
    variables = case.init(*arguments)

    def jaxpr(context: Context | None) -> str:
        return str(jax.make_jaxpr(lambda v, *a: run(case, v, a, context))(variables, *arguments))

    assert jaxpr(None) == jaxpr(Context())
