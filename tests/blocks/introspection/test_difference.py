"""What tells two models apart."""

import jax
import pytest

from blocks import (
    MLP,
    Causal,
    CausalLM,
    FullWidthQKNorm,
    GatedMLP,
    LayerNorm,
    LMHead,
    MultiHeadAttention,
    QKNorm,
    RMSNorm,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    diff,
    override,
    replace,
)


def layer(**attention):
    attention = MultiHeadAttention(num_heads=2, mask=attention.pop("mask", Causal()), **attention)
    return TransformerBlock(attention=attention, mlp=MLP(hidden=8))


def model(block):
    return CausalLM(
        embed=TokenEmbedding(vocab_size=5, features=4),
        stack=Stack(block=block, depth=6),
        norm=LayerNorm(),
        head=LMHead(tied=True),
    )


def rows(before, after):
    return [(change.paths, change.before, change.after) for change in diff(before, after)]


def test_equal_models_have_no_difference():
    assert not diff(model(layer()), model(layer()))
    assert str(diff(model(layer()), model(layer()))) == "no difference"


def test_another_kind_of_part_is_one_difference_with_all_its_places():
    other = replace(model(layer()), LayerNorm, lambda old: RMSNorm())
    assert rows(model(layer()), other) == [
        (("stack.block.norm", "norm"), LayerNorm(), RMSNorm()),
    ]


def test_the_same_kind_of_part_is_compared_field_by_field():
    before, after = (model(layer(position=RoPE(theta=theta))) for theta in (1e4, 5e5))
    assert rows(before, after) == [(("stack.block.attention.position.theta",), 1e4, 5e5)]


def test_numbers_of_different_types_are_told_apart():
    assert rows(RMSNorm(epsilon=1.0), RMSNorm(epsilon=1.0)) == []
    assert rows(LMHead(tied=True, logit_cap=1.0), LMHead(tied=True, logit_cap=None)) == [
        (("logit_cap",), 1.0, None)
    ]


def test_parts_of_a_tuple_are_matched_by_name():
    assert rows(layer(qk=(QKNorm(),)), layer(qk=(QKNorm(norm=LayerNorm()),))) == [
        (("attention.qk.qk_norm.norm",), RMSNorm(), LayerNorm())
    ]
    assert rows(layer(), layer(qk=(QKNorm(),))) == [(("attention.qk.qk_norm",), None, QKNorm())]


def test_another_order_of_parts_is_a_difference():
    qk = (QKNorm(), FullWidthQKNorm())
    assert rows(layer(qk=qk), layer(qk=qk[::-1])) == [(("attention.qk",), qk, qk[::-1])]


def test_a_block_is_compared_with_each_of_a_pattern():
    local = Causal() & SlidingWindow(2)
    pattern = (layer(mask=local),) * 2 + (layer(position=RoPE()),)
    assert rows(model(layer()), model(pattern)) == [
        (("stack.block",), layer(), pattern),
        (("stack.block_0.attention.mask",), Causal(), local),
        (("stack.block_2.attention.position",), None, RoPE()),
    ]


def test_a_long_part_prints_as_its_kind():
    init = jax.nn.initializers.zeros
    mlp = GatedMLP(hidden=8, dropout_rate=0.1, kernel_init=init, out_kernel_init=init)
    printed = str(diff(layer(), TransformerBlock(attention=layer().attention, mlp=mlp)))
    assert printed == "mlp  MLP(hidden=8) -> GatedMLP"


def test_functions_of_one_name_are_told_apart_by_their_modules():
    (change,) = diff(MLP(hidden=8), MLP(hidden=8, activation=jax.nn.gelu))
    assert str(change) == "blocks.mlp.activations.gelu -> jax._src.nn.functions.gelu"


def test_fields_of_all_parts_are_one_row():
    changed = override(model(layer()), use_bias=False)
    assert len(diff(model(layer()), changed)) == 1


@pytest.mark.parametrize("arguments", [(MLP, MLP(hidden=1)), (MLP(hidden=1), "MLP")])
def test_what_is_no_block_is_refused(arguments):
    with pytest.raises(TypeError, match="the first argument of diff must be a block"):
        diff(*arguments)
