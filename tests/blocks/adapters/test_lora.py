"""LoRA: what it leaves as it was, where it may stand, and what it refuses."""

import functools
import re
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from blocks import (
    MLP,
    Causal,
    CausalLM,
    LMHead,
    LoRA,
    MultiHeadAttention,
    RMSNorm,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    find,
    replace,
)

TOKENS = jnp.array([[0, 3, 1, 2]])
ATTENTION = MultiHeadAttention(num_heads=2, mask=Causal())


def model(**stack: Any) -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(vocab_size=5, features=8),
        stack=Stack(
            block=TransformerBlock(attention=ATTENTION, mlp=MLP(hidden=6)), depth=2, **stack
        ),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    )


def adapted(model: nn.Module) -> Any:
    return replace(model, MultiHeadAttention, lambda old: LoRA(block=old, rank=2))


@pytest.mark.parametrize(
    "layout",
    [{}, {"remat": True}, {"scan": True, "remat": True}, {"shared": True}],
    ids=["loop", "remat", "scan", "shared"],
)
def test_parameters_keep_their_names(layout: dict[str, bool]) -> None:
    plain = model(**layout)
    before = _shapes(plain)
    for changed in (adapted(plain), LoRA(block=plain, rank=2)):
        after = _shapes(changed)
        new = {path for path in after if path[-1] in ("lora_a", "lora_b")}
        assert {path[-2:] for path in new} == {
            (name, matrix) for name in ("query", "value") for matrix in ("lora_a", "lora_b")
        }
        assert {path: leaf for path, leaf in after.items() if path not in new} == before


def _shapes(block: nn.Module) -> dict[tuple[str, ...], Any]:
    return flatten_dict(jax.eval_shape(block.init, jax.random.key(0), TOKENS)["params"])


def test_a_fresh_adapter_changes_neither_results_nor_the_start() -> None:
    plain, key = model(), jax.random.key(0)
    changed = LoRA(block=plain, rank=2)
    expected, before = jax.jit(plain.init_with_output)(key, TOKENS)
    got, after = jax.jit(changed.init_with_output)(key, TOKENS)
    chex.assert_trees_all_close(got, expected, rtol=1e-6, atol=1e-6)
    leaves = flatten_dict(after["params"])
    for path, leaf in flatten_dict(before["params"]).items():
        chex.assert_trees_all_close(leaves[path], leaf, rtol=1e-6, atol=1e-6)


def test_weights_of_the_model_alone_fit_and_only_the_adapters_are_drawn() -> None:
    plain = model(scan=True)
    variables = jax.jit(plain.init)(jax.random.key(5), TOKENS)
    fill = functools.partial(adapted(plain).apply, mutable=["params"])
    _, grown = jax.jit(fill)(variables, TOKENS, rngs={"params": jax.random.key(1)})
    leaves = flatten_dict(grown["params"])
    for path, leaf in flatten_dict(variables["params"]).items():
        chex.assert_trees_all_equal(leaves.pop(path), leaf)
    assert {path[-1] for path in leaves} == {"lora_a", "lora_b"}


def test_kernels_with_heads_are_changed_as_matrices_of_inputs_and_outputs() -> None:
    changed = LoRA(block=ATTENTION, rank=3, targets=("query", "out"))
    params = jax.eval_shape(changed.init, jax.random.key(0), jnp.ones((1, 4, 8)))["params"]
    assert jax.tree.map(jnp.shape, {name: params[name] for name in ("query", "out")}) == {
        "query": {"bias": (2, 4), "kernel": (8, 2, 4), "lora_a": (8, 3), "lora_b": (3, 2, 4)},
        "out": {"bias": (8,), "kernel": (2, 4, 8), "lora_a": (2, 4, 3), "lora_b": (3, 8)},
    }


def test_a_is_drawn_by_its_inputs_and_b_is_zero() -> None:
    changed = LoRA(block=MultiHeadAttention(num_heads=8), rank=64, targets=("out",))
    params = jax.jit(changed.init)(jax.random.key(0), jnp.ones((1, 1, 256)))["params"]
    assert float(params["out"]["lora_a"].std()) == pytest.approx(256**-0.5, rel=0.03)
    assert not params["out"]["lora_b"].any()


def test_the_change_is_alpha_over_rank_times_both_matrices() -> None:
    changed = LoRA(block=MLP(hidden=1), rank=2, alpha=6.0, targets=("down",))
    params = {
        "up": {"kernel": jnp.ones((1, 1)), "bias": jnp.full(1, 100.0)},  # gelu(101) = 101
        "down": {
            "kernel": jnp.array([[5.0]]),
            "bias": jnp.array([7.0]),
            "lora_a": jnp.array([[1.0, 2.0]]),
            "lora_b": jnp.array([[3.0], [4.0]]),
        },
    }
    # By hand: 101 * 5 + 7, and 6 / 2 * 101 * (1 * 3 + 2 * 4).
    got = changed.apply({"params": params}, jnp.ones((1, 1, 1)))
    assert float(got[0, 0, 0]) == 512.0 + 3333.0


def test_a_block_that_runs_twice_uses_its_adapters_twice() -> None:
    class Twice(nn.Module):
        part: nn.Module

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            return self.part(self.part(x))

    block, x = MLP(hidden=6), jax.random.normal(jax.random.key(1), (1, 3, 4))
    changed = Twice(part=LoRA(block=block, rank=1, targets=("up",)))
    variables = jax.jit(changed.init)(jax.random.key(0), x)
    assert list(variables["params"]) == ["part"]
    once = {"params": {n: {k: v[k] for k in ("kernel", "bias")} for n, v in _part(variables)}}
    chex.assert_trees_all_equal(
        changed.apply(variables, x), block.apply(once, block.apply(once, x))
    )


def _part(variables: Any) -> Any:
    return variables["params"]["part"].items()


def test_an_adapter_within_an_adapter_changes_what_the_other_leaves() -> None:
    layer = adapted(TransformerBlock(attention=ATTENTION, mlp=MLP(hidden=6)))
    both = LoRA(block=layer, rank=1, targets=("up", "key"))
    params = jax.eval_shape(both.init, jax.random.key(0), jnp.ones((1, 3, 8)))["params"]
    ranks = {p[-2]: v.shape[0] for p, v in flatten_dict(params).items() if p[-1] == "lora_b"}
    assert ranks == {"query": 2, "value": 2, "up": 1, "key": 1}


def test_half_precision_of_the_block_is_that_of_the_change() -> None:
    changed = LoRA(block=MLP(hidden=6, dtype=jnp.bfloat16), rank=2, targets=("up", "down"))
    got, variables = jax.eval_shape(
        changed.init_with_output, jax.random.key(0), jnp.ones((1, 3, 4))
    )
    assert got.dtype == jnp.bfloat16
    assert variables["params"]["up"]["lora_a"].dtype == jnp.float32


def test_a_causal_model_still_sees_that_an_adapted_attention_looks_ahead() -> None:
    with pytest.raises(ValueError, match=r"stack\.block\.attention\.block can see ahead"):
        replace(
            model(),
            MultiHeadAttention,
            lambda old: LoRA(block=MultiHeadAttention(num_heads=old.num_heads)),
        )
    assert len(find(adapted(model()), MultiHeadAttention)) == 1


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("querry", "did you mean `query`?"),
        ("zzz", "it has ['key', 'out', 'query', 'value']."),
    ],
)
def test_a_target_that_is_nowhere_gives_the_nearest(target: str, hint: str) -> None:
    changed = LoRA(block=ATTENTION, targets=("value", target))
    match = f"no linear map of MultiHeadAttention is named `{target}`; {hint}"
    with pytest.raises(ValueError, match=re.escape(match)):
        jax.eval_shape(changed.init, jax.random.key(0), jnp.ones((1, 3, 8)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 0}, "rank=0 must be at least 1."),
        ({"alpha": 0.0}, "alpha=0.0 must be positive."),
        ({"targets": ()}, "targets=() adapts nothing"),
        (
            {"block": LoRA(block=ATTENTION), "targets": ("key", "value")},
            "the adapter at `block` changes value already",
        ),
    ],
)
def test_an_adapter_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LoRA(**{"block": ATTENTION, **fields})


def test_a_name_in_the_place_of_names_is_refused() -> None:
    with pytest.raises(TypeError, match=r"field `targets` cannot hold this"):
        LoRA(block=ATTENTION, targets="query")  # pyright: ignore[reportArgumentType]


def test_gradients_reach_both_matrices() -> None:
    changed = LoRA(block=MLP(hidden=6), rank=2, targets=("up",))
    x = jax.random.normal(jax.random.key(1), (1, 3, 4))
    params = jax.jit(changed.init)(jax.random.key(0), x)["params"]
    params["up"]["lora_b"] = jnp.ones_like(params["up"]["lora_b"])
    grads = jax.jit(jax.grad(lambda p: jnp.square(changed.apply({"params": p}, x)).sum()))(params)
    assert all(np.abs(grads["up"][name]).min() > 0 for name in ("lora_a", "lora_b"))
