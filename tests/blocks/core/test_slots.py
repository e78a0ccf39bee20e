"""Every slot refuses, when a value is made, what cannot be called as the slot calls it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from laws.cases import CASES

from blocks import (
    MLP,
    CausalLM,
    LoRA,
    MultiHeadAttention,
    Plain,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    find,
)
from blocks.core.errors.words import alternatives
from blocks.core.fields import Hint, field_hints
from blocks.core.modules import fields_of
from blocks.core.slots import Adapter

X = jnp.ones((2, 3, 8))


class OtherCall(nn.Module):
    """A module that no slot can call."""

    def __call__(self, one, two, three, four, five):
        return one


class OfX(nn.Module):
    """A module of a user's own that takes `x` alone."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(8)(x)


def examples() -> dict[type, nn.Module]:
    """One value of every public kind of block."""
    parts = [part for case in CASES for part in find(case.block, nn.Module).values()]
    return {type(part): part for part in parts if type(part).__module__.startswith("blocks.")}


def holds_any_block(hint: Hint) -> bool:
    """Whether a field takes modules of any kind, or tuples of them."""
    return bool({nn.Module, tuple[nn.Module, ...]} & {*alternatives(hint.plain)})


SLOTS = [
    pytest.param(block, name, hint, id=f"{kind.__name__}.{name}")
    for kind, block in examples().items()
    for name, hint in field_hints(kind).items()
    if name != "parent" and holds_any_block(hint) and not isinstance(block, Adapter)
]
MIXERS = [
    slot for slot in SLOTS if slot.values[2].called.arguments == ("x", "context", "deterministic")
]


def put(block: nn.Module, name: str, hint: Hint, part: nn.Module) -> nn.Module:
    """The block with another part in a slot."""
    alone = nn.Module in alternatives(hint.plain)
    return type(block)(**{**fields_of(block), name: part if alone else (part,)})


@pytest.mark.parametrize(("block", "name", "hint"), SLOTS)
def test_a_part_with_another_call_is_refused(block: nn.Module, name: str, hint: Hint) -> None:
    kind = type(block).__name__
    expected = (
        rf"^{kind}: field `{name}` cannot hold this\n"
        rf"  expected: a block called as {name}\(.*\)\n"
        r"  actual:   OtherCall\(\), called as \(one, two, three, four, five\)$"
    )
    with pytest.raises(TypeError, match=expected):
        put(block, name, hint, OtherCall())


@pytest.mark.parametrize(("block", "name", "hint"), MIXERS)
def test_a_module_of_x_alone_is_told_of_plain(block: nn.Module, name: str, hint: Hint) -> None:
    with pytest.raises(TypeError, match=r"fix:      Plain\(block=OfX\(\)\) calls a module with"):
        put(block, name, hint, OfX())


def test_an_adapter_does_not_hide_the_call_of_its_block() -> None:
    with pytest.raises(TypeError, match=r"(?s)field `block`.*Plain\(block=Dense\(...\)\)"):
        Stack(block=LoRA(block=nn.Dense(8)), depth=2)


@pytest.mark.parametrize("module", [nn.Dense(8), OfX()], ids=["dense", "own"])
def test_what_plain_wraps_runs_in_a_slot(module: nn.Module) -> None:
    layer = TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=Plain(block=module))
    y, variables = layer.init_with_output(jax.random.key(0), X)
    assert y.shape == X.shape
    assert "mlp" in variables["params"]


def test_a_head_of_linen_is_told_of_plain() -> None:
    embed, stack = TokenEmbedding(vocab_size=5, features=8), MLP(hidden=4)
    with pytest.raises(TypeError, match=r"(?s)field `head`.*Plain\(block=Dense\(...\)\)"):
        CausalLM(embed=embed, stack=stack, norm=None, head=nn.Dense(5))
    head = Plain(block=nn.Dense(5))
    given = CausalLM(embed=embed, stack=stack, norm=None, head=head)
    tokens = jnp.zeros((2, 3), jnp.int32)
    assert given.init_with_output(jax.random.key(0), tokens)[0].shape == (2, 3, 5)
