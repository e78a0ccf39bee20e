"""What a field cannot hold is refused when the block is made, with the likely fix."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from blocks import (
    MLP,
    Biases,
    Block,
    Causal,
    CausalLM,
    Context,
    LayerNorm,
    LearnedPositions,
    Linear,
    LMHead,
    MultiHeadAttention,
    Plain,
    PreNorm,
    RMSNorm,
    RoPE,
    SlidingWindow,
    SoftCap,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    override,
    replace,
)
from blocks.core.slots import Template
from blocks.core.typing import Dtype

EMBED = TokenEmbedding(vocab_size=7, features=8)


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), **fields})


def layer(**fields: Any) -> TransformerBlock:
    return TransformerBlock(**{"attention": attention(), "mlp": MLP(hidden=4), **fields})


def model(**fields: Any) -> CausalLM:
    parts = {"embed": EMBED, "stack": layer(), "norm": None, "head": LMHead(tied=True)}
    return CausalLM(**{**parts, **fields})


@pytest.mark.parametrize(
    ("make", "block", "field", "expected", "actual"),
    [
        (lambda: attention(num_heads="2"), "MultiHeadAttention", "num_heads", "int", "'2'"),
        (lambda: attention(num_heads=2.0), "MultiHeadAttention", "num_heads", "int", "2.0"),
        (lambda: attention(num_heads=True), "MultiHeadAttention", "num_heads", "int", "True"),
        (lambda: attention(head_dim="8"), "MultiHeadAttention", "head_dim", "int | None", "'8'"),
        (
            lambda: attention(mask=jnp.ones((4, 4))),
            *("MultiHeadAttention", "mask", "Mask | None", r"an array, float32\[4, 4\]"),
        ),
        (
            lambda: attention(position=LearnedPositions(max_length=4)),
            *("MultiHeadAttention", "position", r"QKTransform \| None"),
            r"LearnedPositions\(max_length=4\)",
        ),
        (
            lambda: attention(qk=(Causal(),)),
            *("MultiHeadAttention", "qk", r"tuple\[QKTransform, \.\.\.\]"),
            r"\(Causal\(\),\)",
        ),
        (
            lambda: attention(implementation="flash"),
            *("MultiHeadAttention", "implementation", "Kernel", "'flash'"),
        ),
        (
            lambda: attention(use_bias={"key": False}),
            *("MultiHeadAttention", "use_bias", r"bool \| Biases", r"\{'key': False\}"),
        ),
        (lambda: attention(use_bias=None), "MultiHeadAttention", "use_bias", r"bool \|", "None"),
        (
            lambda: MLP(hidden=4, activation="gelu"),
            *("MLP", "activation", r"Callable\[\[Array\], Array\]", "'gelu'"),
        ),
        (lambda: MLP(hidden=4, dropout_rate="0.1"), "MLP", "dropout_rate", "float", "'0.1'"),
        (lambda: layer(norm=None), "TransformerBlock", "norm", "Module", "None"),
        (lambda: layer(residual=LayerNorm()), "TransformerBlock", "residual", "Residual", "Layer"),
        (lambda: Stack(block=None, depth=1), "Stack", "block", "Module", "None"),
        (lambda: Stack(block=layer(), depth=2.0), "Stack", "depth", "int", "2.0"),
        (lambda: RoPE(theta="1e4"), "RoPE", "theta", "float", "'1e4'"),
        (lambda: SlidingWindow(2.5), "SlidingWindow", "window", "int", "2.5"),
        (lambda: Causal() & 3, "And", "right", "Mask", "3"),
        (lambda: Causal() | None, "Or", "right", "Mask", "None"),
        (lambda: override(layer(), hidden="4"), "MLP", "hidden", "int", "'4'"),
        (
            lambda: replace(layer(), LayerNorm, lambda old: None),
            *("TransformerBlock", "norm", "Module", "None"),
        ),
    ],
)
def test_a_value_of_another_type_is_refused(
    make: Callable[[], Any], block: str, field: str, expected: str, actual: str
) -> None:
    match = rf"^{block}: field `{field}` cannot hold this\n  expected: {expected}.*\n  actual:   "
    with pytest.raises(TypeError, match=match + actual):
        make()


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (lambda: attention(mask=Causal), r"it is the class; write Causal\(\.\.\.\)"),
        (lambda: attention(position=RoPE), r"it is the class; write RoPE\(\.\.\.\)"),
        (lambda: layer(norm=RMSNorm), r"it is the class; write RMSNorm\(\.\.\.\)"),
        (lambda: layer(residual=PreNorm), r"it is the class; write PreNorm\(\.\.\.\)"),
        (lambda: attention(scores=SoftCap(cap=1.0)), r"write it as a tuple, \(\.\.\.,\)"),
        (lambda: Linear(features=8), r"write it as a tuple, \(\.\.\.,\)"),
    ],
)
def test_a_mistake_that_is_plain_comes_with_its_fix(make: Callable[[], Any], fix: str) -> None:
    with pytest.raises(TypeError, match=f"\n  fix:      {fix}$"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: attention(num_heads=np.int64(2)),
        lambda: attention(dropout_rate=0),
        lambda: attention(dropout_rate=np.float32(0.5)),
        lambda: attention(use_bias=Biases(key=False)),
        lambda: attention(scores=[SoftCap(cap=1.0)]),
        lambda: Stack(block=[layer(), layer()], depth=2),
        lambda: MLP(hidden=4, dtype=jnp.bfloat16, kernel_init=jax.nn.initializers.zeros),
        lambda: MLP(hidden=4, dtype="bfloat16"),
    ],
)
def test_what_means_the_same_is_taken(make: Callable[[], Any]) -> None:
    make()


def test_masks_are_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match=r"combine masks with `&`, `\|` and `~` instead of"):
        attention(mask=Causal() and SlidingWindow(2))


@pytest.mark.parametrize("size", [0, -1, "4", 2.0])
def test_a_cache_is_a_number_of_tokens(size: Any) -> None:
    with pytest.raises(ValueError, match=f"cache_size={size!r} must be a whole number of tokens"):
        Context(cache_size=size)


class Storing(Block, kw_only=True):
    """Fields of a user's own, whose names say nothing of what they hold."""

    store_dtype: Any = jnp.int8
    kernel: Any = dict
    block: Any = RoPE()


def test_fields_are_judged_by_annotation_not_by_name() -> None:
    assert Storing().store_dtype is jnp.int8
    assert Storing(store_dtype="int4", kernel=list).kernel is list


def test_a_dtype_under_any_name_is_one_to_compute_in() -> None:
    class Named(Block, kw_only=True):
        precision: Dtype = jnp.float32

    with pytest.raises(TypeError, match="`precision` cannot hold this\n  expected: a floating"):
        Named(precision=jnp.int32)


def test_an_annotation_that_only_checkers_see_is_left_unchecked() -> None:
    class Late(Block, kw_only=True):
        unseen: "OnlyForCheckers" = 3  # type: ignore
        size: "int" = 2

    assert Late(unseen="anything").unseen == "anything"
    with pytest.raises(TypeError, match="`size` cannot hold this\n  expected: int"):
        Late(size="2")  # pyright: ignore


def test_a_list_is_the_tuple_that_it_means() -> None:
    listed, tupled = Stack(block=[layer(), layer()], depth=2), Stack(block=(layer(),) * 2, depth=2)
    assert listed == tupled
    assert hash(listed) == hash(tupled)


@pytest.mark.parametrize("part", [nn.Dense(8), RMSNorm()])
def test_a_part_that_its_slot_could_not_call_is_refused(part: nn.Module) -> None:
    match = (
        r"`mlp` cannot hold this\n  expected: a block called as mlp\(x, context, deterministic\)"
    )
    with pytest.raises(TypeError, match=match):
        layer(mlp=part)


def test_a_plain_module_is_offered_its_wrapper() -> None:
    class Doubled(nn.Module):
        def __call__(self, x: jax.Array) -> jax.Array:
            return 2 * x

    with pytest.raises(TypeError, match=r"called as \(x\)\n  fix:      Plain\(block=Doubled"):
        layer(mlp=Doubled())
    x = jnp.ones((1, 2, 8))
    block = layer(mlp=Plain(block=Doubled()))
    assert block.apply(block.init(jax.random.key(0), x), x).shape == x.shape


def test_numpy_arrays_are_inputs_and_weights() -> None:
    block, x = layer(), np.ones((1, 2, 8), np.float32)
    variables = block.init(jax.random.key(0), x)
    expected = block.apply(variables, jnp.asarray(x))
    np.testing.assert_array_equal(block.apply(jax.device_get(variables), x), expected)
    lm, tokens = model(), np.zeros((1, 2), np.int64)
    assert lm.apply(jax.device_get(lm.init(jax.random.key(0), tokens)), tokens).shape == (1, 2, 7)


def test_numpy_weights_reach_a_block_inside_a_module_of_ones_own() -> None:
    class Outer(nn.Module):
        inner: nn.Module

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.inner(x)

    outer, x = Outer(inner=layer()), jnp.ones((1, 2, 8))
    variables = outer.init(jax.random.key(0), x)
    np.testing.assert_array_equal(
        outer.apply(jax.device_get(variables), x), outer.apply(variables, x)
    )


class Held(Block, kw_only=True):
    """A block whose fields are containers of every kind."""

    many: tuple[int, ...] = ()
    nested: tuple[tuple[float, int], ...] = ()
    named: dict[str, int | None] | None = None
    either: Template[LayerNorm | tuple[LayerNorm, ...]] = ()
    sequence: Sequence[str] = ()


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("many", 1, "1"),
        ("many", 1, True),
        ("nested", (1, 2), (1, 2.5)),
        ("either", LayerNorm(), RMSNorm()),
        ("sequence", "a", 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize("place", range(5))
def test_a_bad_item_is_found_at_any_place(
    field: str, good: Any, bad: Any, kind: Any, place: int
) -> None:
    items = [good] * 5
    Held(**{field: kind(items)})
    items[place] = bad
    with pytest.raises(TypeError, match=rf"^Held: field `{field}` cannot hold this"):
        Held(**{field: kind(items)})


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("kind", [dict, FrozenDict])
def test_a_bad_entry_of_a_dict_is_found_at_any_place(place: int, kind: Any) -> None:
    entries: dict[str, Any] = {"a": 1, "b": None, "c": 3}
    Held(named=kind(entries))
    entries["abc"[place]] = "3"
    with pytest.raises(TypeError, match=r"^Held: field `named` cannot hold this"):
        Held(named=kind(entries))
