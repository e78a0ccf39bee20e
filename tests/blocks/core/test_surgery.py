"""Surgery: what is found, what is changed, and that the original is not."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    MLP,
    Block,
    Causal,
    CausalLM,
    GatedMLP,
    LayerNorm,
    LMHead,
    MultiHeadAttention,
    QKNorm,
    RMSNorm,
    RoPE,
    SkipStack,
    SoftCap,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    find,
    override,
    replace,
)


def layer(mlp: nn.Module) -> TransformerBlock:
    return TransformerBlock(
        attention=MultiHeadAttention(
            num_heads=2, mask=Causal(), position=RoPE(), scores=(SoftCap(cap=5.0),)
        ),
        mlp=mlp,
    )


def model() -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(vocab_size=5, features=4),
        stack=Stack(block=(layer(MLP(hidden=6)), layer(GatedMLP(hidden=6))), depth=2),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    )


def test_find_gives_paths_into_tuples() -> None:
    found = find(model(), SoftCap)
    assert found == {
        "stack.block_0.attention.soft_cap": SoftCap(cap=5.0),
        "stack.block_1.attention.soft_cap": SoftCap(cap=5.0),
    }
    assert list(find(model(), GatedMLP)) == ["stack.block_1.mlp"]


def test_find_goes_by_base_class_and_finds_the_model_itself() -> None:
    assert set(find(model(), CausalLM)) == {""}
    parts = find(model(), Block)
    assert "" in parts
    assert "stack.block_0.residual" in parts
    # By hand: a model of 4 parts, a stack of 2 layers of 4 parts, each attention with 2.
    assert len(parts) == 1 + 4 + 2 * (1 + 4 + 2)


def test_find_of_nothing_is_empty() -> None:
    assert find(RMSNorm(), MLP) == {}


def test_override_sets_a_field_wherever_it_exists() -> None:
    changed = override(model(), dtype=jnp.bfloat16)
    have = [part for part in find(changed, Block).values() if hasattr(part, "dtype")]
    # 3 around the stack, and in each layer attention, MLP and norm.
    assert len(have) == 3 + 2 * 3
    assert all(part.dtype == jnp.bfloat16 for part in have)


def test_override_sets_several_fields_and_keeps_the_others() -> None:
    changed = override(model(), dropout_rate=0.5, theta=7.0)
    assert {rope.theta for rope in find(changed, RoPE).values()} == {7.0}
    assert {mlp.dropout_rate for mlp in find(changed, MLP).values()} == {0.5}
    assert override(changed, dropout_rate=0.0, theta=10_000.0) == model()


def test_override_may_put_in_a_part() -> None:
    changed = override(model(), TransformerBlock, norm=LayerNorm(use_bias=False))
    norms = find(changed, LayerNorm)
    assert set(norms) == {"stack.block_0.norm", "stack.block_1.norm"}
    assert {norm.use_bias for norm in norms.values()} == {False}


def test_override_checks_the_new_value() -> None:
    with pytest.raises(ValueError, match=r"num_kv_heads=3 must divide num_heads=2"):
        override(model(), num_kv_heads=3)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dropout", "did you mean `dropout_rate`"),
        ("num_head", "did you mean `num_heads`"),
        ("zzzz", "there are activation, added, attention, bias_init, block, "),
        ("name", "there are activation"),
        ("parent", "there are activation"),
    ],
)
def test_override_of_an_unknown_field_gives_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=rf"no part of CausalLM has a field `{name}`; {hint}"):
        override(model(), **{name: 1})


def test_one_unknown_field_among_known_ones_changes_nothing() -> None:
    with pytest.raises(ValueError, match="`thet`; did you mean `theta`"):
        override(model(), dropout_rate=0.5, thet=1.0)


def test_replace_swaps_every_part_of_a_kind() -> None:
    changed = replace(model(), LayerNorm, lambda norm: RMSNorm(epsilon=norm.epsilon))
    assert find(changed, LayerNorm) == {}
    assert [norm.epsilon for norm in find(changed, RMSNorm).values()] == [1e-5, 1e-5, 1e-6]


def test_replace_inside_tuples_keeps_the_others() -> None:
    changed = replace(model(), GatedMLP, lambda mlp: MLP(hidden=mlp.hidden + 1))
    assert [mlp.hidden for mlp in find(changed, MLP).values()] == [6, 7]
    assert changed.stack.block[0] == model().stack.block[0]


def test_replace_takes_the_outermost() -> None:
    nested = Stack(block=Stack(block=layer(MLP(hidden=6)), depth=2), depth=3)
    seen = []
    changed = replace(nested, Stack, lambda stack: seen.append(stack.depth) or RMSNorm())
    assert changed == RMSNorm()
    assert seen == [3]


def test_replaced_parts_get_weights_of_their_own() -> None:
    shared = RMSNorm()
    changed = replace(model(), LayerNorm, lambda norm: shared)
    tokens = jnp.zeros((1, 2), jnp.int32)
    params = jax.eval_shape(changed.init, jax.random.key(0), tokens)["params"]
    layers = params["stack"].values()
    assert [set(own["attention_norm"]) for own in layers] == [{"scale"}] * 2


def test_replace_of_a_kind_that_is_not_there_lists_the_kinds() -> None:
    match = (
        r"no part of TransformerBlock is a RMSNorm; it has "
        r"LayerNorm, MLP, MultiHeadAttention, PreNorm, RoPE, SoftCap, TransformerBlock\."
    )
    with pytest.raises(ValueError, match=match):
        replace(layer(MLP(hidden=6)), RMSNorm, lambda norm: norm)


def changes() -> dict[str, Any]:
    return {
        "override": lambda model: override(model, dtype=jnp.bfloat16, hidden=3),
        "replace": lambda model: replace(model, LayerNorm, lambda norm: RMSNorm()),
        "find": lambda model: find(model, nn.Module),
    }


@pytest.mark.parametrize("change", changes())
def test_the_original_is_left_as_it_was(change: str) -> None:
    original = model()
    printed = repr(original)
    changes()[change](original)
    assert original == model()
    assert repr(original) == printed


def test_an_identical_replacement_computes_the_same() -> None:
    tokens = jnp.array([[0, 1, 2]])
    variables = jax.jit(model().init)(jax.random.key(0), tokens)
    same = replace(model(), LayerNorm, lambda norm: norm)
    assert same == model()
    np.testing.assert_array_equal(
        jax.jit(same.apply)(variables, tokens), jax.jit(model().apply)(variables, tokens)
    )


def test_parts_that_are_no_blocks_are_changed_too() -> None:
    class Wrapper(nn.Module):
        inner: nn.Module

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.inner(x)

    wrapped = Wrapper(inner=MLP(hidden=4))
    assert override(wrapped, hidden=8).inner == MLP(hidden=8)
    assert replace(wrapped, MLP, lambda mlp: RMSNorm()).inner == RMSNorm()


def test_a_block_in_the_place_of_its_class_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"kind=LayerNorm\(\) is not a class of blocks; write the class, LayerNorm"
    ):
        find(LayerNorm(), LayerNorm())


def test_a_block_in_the_place_of_the_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"write lambda old: RMSNorm\(\.\.\.\)"):
        replace(LayerNorm(), LayerNorm, RMSNorm())


def test_a_size_of_several_kinds_is_refused_with_the_kinds() -> None:
    steps = Stack(block=Stack(block=layer(MLP(hidden=6)), depth=2), depth=3)
    assert [part.depth for part in find(override(steps, depth=5), Stack).values()] == [5, 5]
    mixed = SkipStack(block=Stack(block=layer(MLP(hidden=6)), depth=2), depth=4)
    with pytest.raises(ValueError, match=r"`depth` is a field of SkipStack and Stack; say which"):
        override(mixed, depth=2)
    changed = override(mixed, Stack, depth=3)
    assert [part.depth for part in find(changed, Stack).values()] == [3]
    assert [part.depth for part in find(changed, SkipStack).values()] == [4]


def test_the_norm_of_queries_and_keys_is_not_the_norm_of_the_layer() -> None:
    attention = MultiHeadAttention(num_heads=2, qk=(QKNorm(),))
    block = TransformerBlock(attention=attention, mlp=MLP(hidden=4))
    with pytest.raises(ValueError, match=r"`norm` is a field of QKNorm and TransformerBlock"):
        override(block, norm=RMSNorm(epsilon=1.0))
    changed = override(block, TransformerBlock, norm=RMSNorm(epsilon=1.0))
    assert find(changed, QKNorm)["attention.qk_norm"] == QKNorm()


def test_a_tied_head_keeps_no_vocabulary_of_its_own() -> None:
    changed = override(model(), vocab_size=9)
    assert changed.embed is not None
    assert changed.embed.vocab_size == 9
    assert changed.head == LMHead(tied=True)


def test_a_kind_without_the_field_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no Stack has a field `hidden`; "):
        override(model(), Stack, hidden=2)
    with pytest.raises(ValueError, match=r"no part of CausalLM is a QKNorm; it has "):
        override(model(), QKNorm, norm=RMSNorm())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: override(MLP, hidden=2), r"of override must be a block; MLP is the class"),
        (lambda: override("mlp", hidden=2), r"got 'mlp'; the model comes first"),
        (lambda: find(MLP, MLP(hidden=2)), r"of find must be a block; MLP is the class"),
        (lambda: find(model(), "MLP"), r"kind='MLP' is not a class of blocks; write the class"),
        (lambda: replace(LayerNorm, model(), RMSNorm), r"of replace must be a block; LayerNorm"),
        (lambda: replace(model(), MLP, GatedMLP), r"got the class GatedMLP; write lambda old"),
    ],
)
def test_what_is_given_in_the_wrong_place_is_told(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call()
