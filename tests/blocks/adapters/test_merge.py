"""Adapters learned alone, and merged into the kernels."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

from blocks import (
    MLP,
    Causal,
    LoRA,
    MixtureOfExperts,
    MultiHeadAttention,
    SoftmaxRouter,
    Stack,
    TransformerBlock,
    find,
    override,
)
from blocks.adapters import label_lora, merge_lora

X = jax.random.normal(jax.random.key(2), (2, 4, 8))


def layer(alpha: float) -> TransformerBlock:
    attention = MultiHeadAttention(num_heads=4, num_kv_heads=2, mask=Causal())
    return TransformerBlock(
        attention=LoRA(block=attention, rank=2, alpha=alpha, targets=("query", "value", "out")),
        mlp=MLP(hidden=6),
    )


def drawn(model: Any) -> Any:
    """Parameters away from their start, so that no adapter is at zero."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), X)["params"]
    draw = np.random.default_rng(3).normal
    return jax.tree.map(lambda leaf: jnp.asarray(0.4 * draw(size=leaf.shape), leaf.dtype), shapes)


MODELS = {
    "loop over a pattern of two weights": Stack(block=(layer(2.0), layer(9.0)), depth=3),
    "scan over a pattern of two weights": Stack(block=(layer(2.0), layer(9.0)), depth=4, scan=True),
    "one within another": LoRA(
        block=Stack(block=layer(2.0), depth=1), rank=3, alpha=5.0, targets=("up", "key")
    ),
    "experts of another weight than the attention": TransformerBlock(
        attention=layer(2.0).attention,
        mlp=MixtureOfExperts(
            router=SoftmaxRouter(num_experts=3, top_k=2),
            expert=LoRA(block=MLP(hidden=6), rank=2, alpha=9.0, targets=("up", "down")),
        ),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_merged_equals_unmerged(name: str) -> None:
    model = MODELS[name]
    params = drawn(model)
    plain, merged = merge_lora(model, params)
    assert find(plain, LoRA) == {}
    shapes = jax.eval_shape(plain.init, jax.random.key(0), X)["params"]
    chex.assert_trees_all_equal_shapes_and_dtypes(merged, shapes)

    @jax.jit
    def results(params: Any, merged: Any) -> tuple[jax.Array, ...]:
        alone = plain.apply({"params": _without(params)}, X)
        return model.apply({"params": params}, X), plain.apply({"params": merged}, X), alone

    expected, got, alone = results(params, merged)
    chex.assert_trees_all_close(got, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(np.asarray(alone - expected)).max() > 0.1


def _without(params: Any) -> Any:
    if not isinstance(params, dict):
        return params
    return {k: _without(v) for k, v in params.items() if k not in ("lora_a", "lora_b")}


def test_merging_leaves_what_it_was_given() -> None:
    model = layer(4.0)
    params = drawn(model)
    names, printed = set(flatten_dict(params)), repr(model)
    merge_lora(model, params)
    assert set(flatten_dict(params)) == names
    assert repr(model) == printed


def test_only_adapters_learn_where_the_rest_is_set_to_zero() -> None:
    model = layer(4.0)
    params = drawn(model)
    groups = {"lora": optax.adamw(0.1, weight_decay=0.5), "base": optax.set_to_zero()}
    optimizer = optax.multi_transform(groups, label_lora)

    @jax.jit
    def step(params: Any, state: Any) -> tuple[Any, Any]:
        loss = jax.grad(lambda p: jnp.square(model.apply({"params": p}, X)).mean())
        updates, state = optimizer.update(loss(params), state, params)
        return optax.apply_updates(params, updates), state

    state, learned = optimizer.init(params), params
    for _ in range(2):
        learned, state = step(learned, state)
    for path, before in flatten_dict(params).items():
        after = flatten_dict(learned)[path]
        if path[-1] in ("lora_a", "lora_b"):
            assert np.abs(np.asarray(after - before)).min() > 0, path
        else:
            chex.assert_trees_all_equal(after, before)
    moments = sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim)
    assert moments == 2 * sum(v.size for p, v in flatten_dict(params).items() if "lora" in p[-1])


def test_labels_stand_at_the_names_of_the_parameters() -> None:
    params = {"up": {"kernel": 0, "lora_a": 0, "lora_b": 0}, "down": {"kernel": 0}}
    assert label_lora(params) == {
        "up": {"kernel": "base", "lora_a": "lora", "lora_b": "lora"},
        "down": {"kernel": "base"},
    }


def test_parameters_without_adapters_are_refused() -> None:
    params = {"up": {"kernel": jnp.ones((8, 6))}}
    with pytest.raises(ValueError, match=r"no adapter in \['up'\]; give the parameters of a model"):
        label_lora(params)
    with pytest.raises(ValueError, match=r"no adapter in \['up'\]"):
        merge_lora(LoRA(block=MLP(hidden=6), targets=("up",)), params)


def test_a_model_without_adapters_is_refused() -> None:
    with pytest.raises(ValueError, match="no part of MLP is a LoRA, so there is none to merge"):
        merge_lora(MLP(hidden=6), {})


@pytest.mark.parametrize(
    ("name", "leaf", "said"),
    [
        ("kernel", None, "at `up` has no kernel to merge"),
        ("lora_b", None, "at `up` has no lora_b to merge"),
        (
            "lora_b",
            jnp.zeros((2, 5)),
            r"at `up`, of shapes \(8, 2\) and \(2, 5\), does not fit .*\(8, 6",
        ),
        ("lora_a", jnp.zeros((4, 4)), r"at `up`, of shapes \(4, 4\) and \(2, 6\), does not fit"),
    ],
    ids=["kernel", "b", "width", "rank"],
)
def test_an_adapter_that_is_not_whole_is_refused(name: str, leaf: Any, said: str) -> None:
    up = {"kernel": jnp.ones((8, 6)), "lora_a": jnp.ones((8, 2)), "lora_b": jnp.ones((2, 6))}
    up = {**up, name: leaf} if leaf is not None else {k: v for k, v in up.items() if k != name}
    with pytest.raises(ValueError, match=said):
        merge_lora(LoRA(block=MLP(hidden=6), targets=("up",)), {"up": up})


def test_weights_that_cannot_be_told_apart_are_refused() -> None:
    model = Stack(block=(layer(2.0), layer(9.0)), depth=2)
    params = {"elsewhere": drawn(model)["layer_0"]}
    with pytest.raises(
        ValueError, match=r"no adapter of the model stands at `elsewhere\.attention"
    ):
        merge_lora(model, params)
    assert merge_lora(override(model, alpha=2.0), params)[1].keys() == params.keys()
