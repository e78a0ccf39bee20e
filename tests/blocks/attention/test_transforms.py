"""Changes of values and heads, clipping, and what the first layer leaves to later ones."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    MLP,
    Causal,
    Context,
    MultiHeadAttention,
    OutputGate,
    RelativeBias,
    SharedRelativeBias,
    Stack,
    TransformerBlock,
    ValueEmbedding,
    ValueResidual,
    override,
    replace,
)
from blocks.attention import AttentionInputs, ClipQK, ClipValue, HeadTransform, ValueTransform
from blocks.carry import Carry, split_carry
from blocks.context import Coordinates

X = jax.random.normal(jax.random.key(0), (2, 3, 8))
VALUE = jax.random.normal(jax.random.key(1), (2, 3, 2, 4))
AT = Coordinates(jnp.arange(3)[None], jnp.arange(3)[None])


def given(context: Context | None = None) -> AttentionInputs:
    """What attention gives its parts in a call of `context`."""
    return AttentionInputs(X, context or Context(), True, AT, AT)


def stack(**fields: Any) -> Stack:
    attention = MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), **fields})
    return Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=3)


def started(block: Any, *inputs: Any) -> Any:
    """Parameters, none of which is at a trivial start."""
    leaves, tree = jax.tree.flatten(jax.eval_shape(block.init, jax.random.key(0), *inputs))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


def test_clips_bound_what_the_projections_give() -> None:
    query, key = ClipQK(limit=0.5)(VALUE, 2 * VALUE, given())
    np.testing.assert_array_equal(query, np.clip(VALUE, -0.5, 0.5))
    np.testing.assert_array_equal(key, np.clip(2 * VALUE, -0.5, 0.5))
    np.testing.assert_array_equal(ClipValue(limit=0.5)(VALUE, given()), np.clip(VALUE, -0.5, 0.5))


@pytest.mark.parametrize("kind", [ClipQK, ClipValue])
def test_a_clip_that_nothing_fits_under_is_refused(kind: type) -> None:
    with pytest.raises(ValueError, match=r"limit=0\.0 must be positive"):
        kind(limit=0.0)


def test_a_closed_gate_silences_every_head() -> None:
    gate = OutputGate(activation=jnp.zeros_like)
    heads, _ = gate.init_with_output(jax.random.key(0), VALUE, given())
    assert not heads.any()


def test_the_first_layer_keeps_its_values_and_has_no_weights_for_others() -> None:
    block = stack(values=(ValueResidual(),))
    params = jax.eval_shape(block.init, jax.random.key(0), X)["params"]
    with_weights = [name for name in params if "value_residual" in params[name]["attention"]]
    assert with_weights == ["layer_1", "layer_2"]


def test_later_layers_read_the_values_of_the_first() -> None:
    transform = ValueResidual()
    context = Context(carry=Carry())
    first, context = split_carry(transform.apply({}, VALUE, given(context)), context)
    chex.assert_trees_all_equal(first, VALUE)
    weights = {"params": {"own": jnp.float32(2.0), "first": jnp.float32(3.0)}}
    third = transform.apply(weights, 10 * VALUE, given(context))
    np.testing.assert_allclose(third, 2 * 10 * VALUE + 3 * VALUE, rtol=1e-6)


@pytest.mark.parametrize("field", ["values", "scores"])
def test_a_stack_carries_what_a_loop_of_ones_own_does(field: str) -> None:
    part = {"values": ValueResidual(), "scores": SharedRelativeBias()}[field]
    block = stack(**{field: (part,)})
    variables = started(block, X)

    @jax.jit
    def looped(params: Any, x: jax.Array) -> jax.Array:
        context = Context(carry=Carry())
        for layer in range(3):
            result = block.block.apply({"params": params[f"layer_{layer}"]}, x, context)
            x, context = split_carry(result, context)
        return x

    want = looped(variables["params"], X)
    chex.assert_trees_all_close(jax.jit(block.apply)(variables, X), want, rtol=1e-5, atol=1e-5)
    again = override(block, remat=True)
    gradients = [jax.grad(lambda v, b=b: b.apply(v, X).sum())(variables) for b in (block, again)]
    chex.assert_trees_all_close(*gradients, rtol=1e-5, atol=1e-5)


def test_a_shared_bias_is_the_same_table_in_all_layers() -> None:
    shared = stack(scores=(SharedRelativeBias(num_buckets=8, max_distance=20),))
    variables = started(shared, X)
    params = variables["params"]
    table = params["layer_0"]["attention"]["shared_relative_bias"]
    copied = {
        name: {**layer, "attention": {**layer["attention"], "relative_bias": table}}
        for name, layer in params.items()
    }
    apart = replace(
        shared, SharedRelativeBias, lambda old: RelativeBias(num_buckets=8, max_distance=20)
    )
    want = apart.apply({"params": copied}, X)
    chex.assert_trees_all_close(shared.apply(variables, X), want, rtol=1e-6, atol=1e-6)


def test_unequal_shared_biases_have_tables_of_their_own() -> None:
    def layer(buckets: int) -> TransformerBlock:
        bias = SharedRelativeBias(num_buckets=buckets, max_distance=20)
        attention = MultiHeadAttention(num_heads=2, scores=(bias,))
        return TransformerBlock(attention=attention, mlp=MLP(hidden=8))

    block = Stack(block=(layer(8), layer(16)), depth=4)
    params = jax.eval_shape(block.init, jax.random.key(0), X)["params"]
    assert [name for name in params if "shared_relative_bias" in params[name]["attention"]] == [
        "layer_0",
        "layer_1",
    ]


@pytest.mark.parametrize("how", ["scan", "shared"])
@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"values": (ValueResidual(),)}, "first_value"),
        ({"scores": (SharedRelativeBias(),)}, r"SharedRelativeBias\(\) of 2 heads"),
    ],
)
def test_layers_of_a_scan_leave_nothing_new(how: str, fields: dict[str, Any], what: str) -> None:
    block = override(stack(**fields), **{how: True})
    with pytest.raises(ValueError, match=rf"layers leave {what} for .* use scan=False and shared"):
        jax.eval_shape(block.init, jax.random.key(0), X)


@pytest.mark.parametrize(
    ("block", "fix"),
    [
        (ValueResidual(), "ValueResidual mixes in what the first layer left; run the layers in a"),
        (ValueEmbedding(vocab_size=5), r"ValueEmbedding looks up tokens; call with Context\(tok"),
    ],
)
def test_values_without_what_they_mix_in_are_refused(block: ValueTransform, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        block.init(jax.random.key(0), VALUE, given())


def test_a_shared_bias_outside_a_stack_is_refused() -> None:
    with pytest.raises(ValueError, match="SharedRelativeBias reads what the first layer left"):
        MultiHeadAttention(num_heads=2, scores=(SharedRelativeBias(),)).init(jax.random.key(0), X)


def test_values_of_another_shape_than_the_first_layers_are_refused() -> None:
    carry = Carry({"first_value": VALUE[:, :, :1]})
    with pytest.raises(ValueError, match=r"\(2, 3, 2, 4\) cannot be mixed .*, \(2, 3, 1, 4\)"):
        ValueResidual().init(jax.random.key(0), VALUE, given(Context(carry=carry)))


def test_a_value_of_no_token_is_refused() -> None:
    block = ValueEmbedding(vocab_size=5)
    context = Context(tokens=jnp.array([[0, 1, 2], [3, 4, 5]]))
    with pytest.raises(ValueError, match="token ids from 0 to 5 do not fit vocab_size=5"):
        block.init(jax.random.key(0), VALUE, given(context))
    with pytest.raises(ValueError, match="vocab_size=0 must be at least 1"):
        ValueEmbedding(vocab_size=0)


def test_a_base_says_that_it_does_nothing() -> None:
    with pytest.raises(TypeError, match="ValueTransform changes nothing: give it a `__call__`"):
        ValueTransform()(VALUE, given())
    with pytest.raises(TypeError, match="HeadTransform changes nothing: give it a `__call__`"):
        HeadTransform()(VALUE, given())
