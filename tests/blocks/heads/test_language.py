"""The language model head: tied or not, with a bias or not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import run_python

from blocks import LMHead

X = jax.random.normal(jax.random.key(0), (2, 3, 4))
TABLE = jax.random.normal(jax.random.key(1), (5, 4))
BIAS = jax.random.normal(jax.random.key(2), (5,))

ON_A_MESH = """
import jax, jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from blocks import LMHead

mesh = jax.make_mesh((2, 2), ("data", "sequence"), axis_types=(AxisType.Auto,) * 2)
split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (mesh.axis_names, ()))
x = jax.ShapeDtypeStruct((4, 8, 16), jnp.float32, sharding=split)
table = jax.ShapeDtypeStruct((32, 16), jnp.float32, sharding=whole)
head = jax.jit(lambda x, table: LMHead(tied=True).apply({}, x, table=table))
print("all-gather" in head.lower(x, table).compile().as_text())
"""


def scores(bias: np.ndarray) -> np.ndarray:
    want = np.zeros((2, 3, 5))
    for row, t, token in np.ndindex(2, 3, 5):
        products = (float(X[row, t, i]) * float(TABLE[token, i]) for i in range(4))
        want[row, t, token] = sum(products) + bias[token]
    return want


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_scores_every_token(tied: bool, use_bias: bool) -> None:
    head = LMHead(vocab_size=None if tied else 5, tied=tied, use_bias=use_bias)
    params = {} if tied else {"kernel": TABLE.T}
    params |= {"bias": BIAS} if use_bias else {}
    names = set(head.init(jax.random.key(0), X, table=TABLE).get("params", {}))
    assert names == set(params)
    got = head.apply({"params": params}, X, table=TABLE)
    want = scores(np.asarray(BIAS, np.float64) if use_bias else np.zeros(5))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_head_of_its_own_ignores_the_table() -> None:
    head = LMHead(vocab_size=5)
    params = {"params": {"kernel": TABLE.T}}
    np.testing.assert_array_equal(head.apply(params, X), head.apply(params, X, table=2.0 * TABLE))


def test_a_single_token_is_scored_by_the_table() -> None:
    got = LMHead(tied=True).apply({}, X[:1, :1], table=TABLE)
    np.testing.assert_allclose(got, scores(np.zeros(5))[:1, :1], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_mesh_that_splits_sequences_gathers_no_tokens() -> None:
    assert run_python(ON_A_MESH, JAX_NUM_CPU_DEVICES="4") == "False\n"


def test_logits_are_float32_at_any_dtype() -> None:
    for head, x in (
        (LMHead(vocab_size=5, use_bias=True, dtype=jnp.bfloat16), X),
        (LMHead(vocab_size=5, param_dtype=jnp.bfloat16), X.astype(jnp.bfloat16)),
    ):
        got, _ = head.init_with_output(jax.random.key(0), x)
        assert got.dtype == jnp.float32


def test_products_of_bfloat16_are_summed_in_float32() -> None:
    # 256 ones and one more: bfloat16 has no 257.
    x, table = jnp.ones((1, 1, 257), jnp.bfloat16), jnp.ones((1, 257), jnp.bfloat16)
    assert float(LMHead(tied=True).apply({}, x, table=table)[0, 0, 0]) == 257.0


def test_tied_and_a_size_contradict_each_other() -> None:
    match = r"vocab_size=5 contradicts tied=True, which takes .*; drop one of the two\."
    with pytest.raises(ValueError, match=match):
        LMHead(vocab_size=5, tied=True)


@pytest.mark.parametrize("size", [None, 0, -1])
def test_a_head_without_weights_is_refused(size: int | None) -> None:
    with pytest.raises(
        ValueError, match=rf"vocab_size={size} must be at least 1; give it, or tied"
    ):
        LMHead(vocab_size=size)


def test_a_tied_head_without_a_table_is_refused() -> None:
    match = r"tied=True needs the embedding's table; call with head\(x, table=table\)\."
    with pytest.raises(ValueError, match=match):
        LMHead(tied=True).apply({}, X)


def test_what_does_not_fit_is_refused_by_name() -> None:
    head = LMHead(tied=True)
    with pytest.raises(TypeError, match=r"LMHead: argument `x`.*\n.*\n  actual:   f32\[3,4\]"):
        head.apply({}, X[0], table=TABLE)
    with pytest.raises(TypeError, match=r"LMHead: argument `x`.*\n.*Float.*\n.*i32\[2,3,4\]"):
        head.apply({}, X.astype(jnp.int32), table=TABLE)
    with pytest.raises(TypeError, match=r"LMHead: argument `table`[^`]*\n  actual:   f32\[5,3\]"):
        head.apply({}, X, table=TABLE[:, :3])
