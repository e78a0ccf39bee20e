"""What recurrent mixers share: slots of queries and keys, dtypes, and mixers of one's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    Block,
    Causal,
    Context,
    GatedDeltaNet,
    LinearAttention,
    QKNorm,
    RMSNorm,
    RoPE,
    override,
)
from blocks.attention import QKTransform
from blocks.attention.inputs import AttentionInputs
from blocks.recurrent.mixer import RecurrentInputs, RecurrentMixer
from blocks.recurrent.products import averaged, causal_sums, counted

X = normal(0, (2, 9, 8))
KINDS = [LinearAttention(num_heads=2, mask=Causal()), GatedDeltaNet(num_heads=2)]
kinds = pytest.mark.parametrize("block", KINDS, ids=lambda block: type(block).__name__)


class RunningMean(RecurrentMixer, kw_only=True):
    """A mixer of one's own: the mean of all tokens of the document so far."""

    def project(
        self, x: jax.Array, context: Context | None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        heads = self.linear("value", (self.num_heads, self.width(x.shape[-1])))(x)
        return heads[..., :1], heads[..., :1], heads

    def mix(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        inputs: RecurrentInputs,
    ) -> tuple[jax.Array, jax.Array]:
        value, one = counted(value, inputs.query_at.valid), jnp.ones_like(query)
        past = inputs.runs, inputs.state
        sums, state = causal_sums(one, one, value, *past, self.chunk_size)
        return averaged(sums), state


class InFloat32(QKTransform, kw_only=True):
    """Changes nothing but the dtype."""

    def __call__(
        self, query: jax.Array, key: jax.Array, inputs: AttentionInputs
    ) -> tuple[jax.Array, jax.Array]:
        return query.astype(jnp.float32), key.astype(jnp.float32)


def mean_of(params: dict, x: np.ndarray) -> np.ndarray:
    """The mean of values so far, projected, in float64."""
    value, out = (np.asarray(params[n]["kernel"], np.float64) for n in ("value", "out"))
    heads = np.einsum("te,ehd->thd", np.asarray(x, np.float64), value)
    means = np.cumsum(heads, axis=0) / np.arange(1, len(x) + 1)[:, None, None]
    return np.einsum("thd,hde->te", means, out)


def test_a_mixer_of_ones_own_keeps_documents_apart_and_passes_over_padding() -> None:
    block = RunningMean(num_heads=2, chunk_size=4)
    variables = drawn_variables(block, X, seed=1)
    segment_ids = jnp.array([[1, 1, 1, 2, 2, 2, 2, 3, 3]] * 2)
    valid = jnp.array([[1, 1, 0, 1, 1, 1, 1, 1, 1]] * 2, bool)
    got = jitted(block, variables, X, Context(segment_ids=segment_ids, valid=valid))
    for row in range(2):
        for document in (1, 2, 3):
            own = np.flatnonzero(valid[row] & (segment_ids[row] == document))
            want = mean_of(variables["params"], X[row, own])
            np.testing.assert_allclose(got[row, own], want, rtol=1e-5, atol=1e-5)


def test_a_mixer_of_ones_own_decodes_as_it_reads() -> None:
    block = RunningMean(num_heads=2, chunk_size=4)
    variables, context = drawn_variables(block, X, seed=1), Context(cache_size=1)
    first, cache = jitted(block, variables, X[:, :4], context, mutable=["cache"])
    rest, _ = jitted(block, {**variables, **cache}, X[:, 4:], context, mutable=["cache"])
    whole = jitted(block, variables, X)
    np.testing.assert_allclose(jnp.concatenate([first, rest], axis=1), whole, rtol=1e-5, atol=1e-5)


@kinds
def test_changes_of_queries_and_keys_come_in_order_and_the_position_last(block: Block) -> None:
    before = block.clone(qk=(QKNorm(norm=RMSNorm()), RoPE()))
    last = block.clone(qk=(QKNorm(norm=RMSNorm()),), position=RoPE())
    after = block.clone(qk=(RoPE(), QKNorm(norm=RMSNorm())))
    params = drawn_variables(before, X, seed=1)["params"]
    scale = params["qk_norm"]["query"]["scale"]
    params["qk_norm"]["query"]["scale"] = jnp.arange(1.0, len(scale) + 1)
    results = [jitted(kind, {"params": params}, X) for kind in (before, last, after)]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
    assert float(jnp.abs(results[0] - results[2]).max()) > 1e-3


@kinds
def test_a_part_in_float32_leaves_a_bfloat16_mixer_in_bfloat16(block: Block) -> None:
    low = override(block.clone(qk=(InFloat32(),)), param_dtype=jnp.bfloat16)
    y, _ = jax.eval_shape(low.init_with_output, jax.random.key(1), X.astype(jnp.bfloat16))
    assert y.dtype == jnp.bfloat16


def test_a_mixer_that_lacks_a_method_says_which() -> None:
    class Empty(RecurrentMixer, kw_only=True):
        pass

    with pytest.raises(TypeError, match="Empty projects nothing: give it a method `project`"):
        Empty(num_heads=2).init(jax.random.key(0), X)
