"""`Block`: a value that prints, compares, pickles, and owns copies of its parts."""

import copy
import functools
import pickle
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from laws.cases import CASES
from public_names import PUBLIC

from blocks import (
    MLP,
    Biases,
    Block,
    Causal,
    CausalLM,
    GatedMLP,
    LayerNorm,
    LearnedPositions,
    LMHead,
    MultiHeadAttention,
    Normal,
    PostNorm,
    RMSNorm,
    RoPE,
    SlidingWindow,
    SoftCap,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    find,
)
from blocks.core import VarianceScaling, fresh
from blocks.core.modules import fields_of, map_modules, modules_in

EMBED = 8
X = jnp.ones((1, 2, EMBED))


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), **fields})


def transformer(**fields: Any) -> TransformerBlock:
    return TransformerBlock(**{"attention": attention(), "mlp": MLP(hidden=4), **fields})


def model() -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(vocab_size=5, features=EMBED, position=LearnedPositions(max_length=3)),
        stack=Stack(
            block=(
                transformer(
                    attention=attention(
                        mask=Causal() & SlidingWindow(4),
                        position=RoPE(theta=100.0),
                        scores=(SoftCap(cap=3.0),),
                        use_bias=Biases(key=False),
                        kernel_init=Normal(0.1),
                        out_kernel_init=VarianceScaling(0.5),
                    ),
                    norm=RMSNorm(),
                ),
                transformer(residual=PostNorm()),
            ),
            depth=4,
            scan=True,
        ),
        norm=LayerNorm(use_bias=False),
        head=LMHead(tied=True),
    )


def count(block: nn.Module) -> int:
    shapes = jax.eval_shape(block.init, jax.random.key(0), X)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


SHARED_BLOCK = transformer()
SHARED_NORM = RMSNorm()
MAKE = functools.partial(TransformerBlock, attention=attention(), mlp=MLP(hidden=4))

# Every way to say "three layers", one or two of which tie weights in plain Linen.
THREE_LAYERS: dict[str, Callable[[], Stack]] = {
    "template": lambda: Stack(block=transformer(), depth=3),
    "times": lambda: Stack(block=(transformer(),) * 3, depth=3),
    "list": lambda: Stack(block=tuple([SHARED_BLOCK] * 3), depth=3),
    "same_instance": lambda: Stack(block=(SHARED_BLOCK, SHARED_BLOCK), depth=3),
    "clone": lambda: Stack(
        block=(SHARED_BLOCK, SHARED_BLOCK.clone(), SHARED_BLOCK.clone()), depth=3
    ),
    "copy": lambda: Stack(block=(SHARED_BLOCK, SHARED_BLOCK.copy(), fresh(SHARED_BLOCK)), depth=3),
    "partial": lambda: Stack(block=(MAKE(), MAKE(), MAKE()), depth=3),
    "default_norm": lambda: Stack(
        block=tuple(TransformerBlock(attention=attention(), mlp=MLP(hidden=4)) for _ in range(3)),
        depth=3,
    ),
    "scan": lambda: Stack(block=SHARED_BLOCK, depth=3, scan=True),
    "scan_times": lambda: Stack(block=(SHARED_BLOCK,) * 3, depth=3, scan=True),
    "remat": lambda: Stack(block=SHARED_BLOCK, depth=3, remat=True),
}


@pytest.mark.parametrize("way", THREE_LAYERS)
def test_three_layers_have_three_times_the_parameters(way: str) -> None:
    # By hand: 4 projections, an MLP of 4, two layer norms.
    one = 4 * (EMBED * EMBED + EMBED) + (2 * EMBED * 4 + 4 + EMBED) + 2 * 2 * EMBED
    assert count(transformer()) == one
    assert count(THREE_LAYERS[way]()) == 3 * one


@pytest.mark.parametrize("way", THREE_LAYERS)
def test_three_layers_start_differently(way: str) -> None:
    params = jax.jit(THREE_LAYERS[way]().init)(jax.random.key(0), X)["params"]
    kernels = [
        kernel
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if "['query']['kernel']" in jax.tree_util.keystr(path)
        for kernel in leaf.reshape(-1, EMBED * EMBED)
    ]
    assert len(kernels) == 3
    assert len({tuple(kernel.tolist()) for kernel in kernels}) == 3


def test_one_part_in_two_slots_is_two() -> None:
    class Pair(Block, kw_only=True):
        left: nn.Module
        right: nn.Module

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.left(x) + self.right(x)

    norm = RMSNorm()
    assert count(Pair(left=norm, right=norm)) == 2 * EMBED
    inner = Pair(left=norm, right=norm)
    assert count(Pair(left=inner, right=inner)) == 4 * EMBED


def test_one_norm_in_two_blocks_and_a_model_is_three() -> None:
    lm = CausalLM(
        embed=TokenEmbedding(vocab_size=5, features=EMBED),
        stack=Stack(block=transformer(norm=SHARED_NORM), depth=1),
        norm=SHARED_NORM,
        head=LMHead(tied=True),
    )
    params = jax.eval_shape(lm.init, jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]
    layer = params["stack"]["layer_0"]
    norms = [layer["attention_norm"], layer["mlp_norm"], params["norm"]]
    assert [jax.tree.map(jnp.shape, norm) for norm in norms] == [{"scale": (EMBED,)}] * 3


def test_a_template_is_not_bound_by_its_use() -> None:
    template = transformer()
    stack = Stack(block=template, depth=2)
    jax.eval_shape(stack.init, jax.random.key(0), X)
    assert template == transformer()
    assert template.parent is None
    assert stack == Stack(block=template, depth=2)


def test_parts_in_dicts_are_copied_too() -> None:
    class Named(Block, kw_only=True):
        parts: dict[str, nn.Module]

        def __call__(self, x: jax.Array) -> jax.Array:
            return sum((part(x) for part in self.parts.values()), start=jnp.zeros_like(x))

    norm = RMSNorm()
    named = Named(parts={"a": norm, "b": norm})
    assert count(named) == 2 * EMBED


def test_a_model_prints_as_an_expression_that_builds_it() -> None:
    built = model()
    again = eval(repr(built), dict(PUBLIC))
    assert again == built
    assert repr(again) == repr(built)


def test_printing_leaves_out_defaults_and_wraps_long_lines() -> None:
    assert repr(MLP(hidden=4, use_bias=True)) == "MLP(hidden=4)"
    assert repr(MLP(hidden=4, activation=nn.relu, dtype=jnp.bfloat16)) == (
        "MLP(hidden=4, activation=relu, dtype=bfloat16)"
    )
    assert repr(attention(use_bias=Biases(key=False))) == (
        "MultiHeadAttention(\n"
        "    num_heads=2,\n"
        "    mask=Causal(),\n"
        "    use_bias=Biases(query=True, key=False, value=True, out=True),\n"
        ")"
    )
    assert repr(Stack(block=(MLP(hidden=4),), depth=1)) == "Stack(block=(MLP(hidden=4),), depth=1)"


def test_lists_print_as_lists() -> None:
    class Listed(Block, kw_only=True):
        parts: list[Any]

    assert repr(Listed(parts=[RMSNorm(), 1, nn.relu])) == "Listed(parts=[RMSNorm(), 1, relu])"


def test_equal_models_are_equal_and_unequal_ones_not() -> None:
    assert model() == model()
    assert MLP(hidden=4) != MLP(hidden=5)
    assert transformer(norm=RMSNorm()) != transformer(norm=LayerNorm())
    assert hash(attention()) == hash(attention())


def test_a_model_survives_pickling() -> None:
    built = model()
    assert pickle.loads(pickle.dumps(built)) == built


def test_a_positional_field_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^MLP: fields are given by name; write MLP\(hidden=.*\)\.$"
    ):
        MLP(4)  # pyright: ignore


def test_blocks_do_not_see_ahead_unless_they_say_so() -> None:
    assert not MLP(hidden=2).sees_ahead
    assert not transformer().sees_ahead


def test_fresh_shares_nothing_and_takes_overrides() -> None:
    template = transformer()
    copy = fresh(template, dropout_rate=0.5)
    assert copy.dropout_rate == 0.5
    assert copy.attention == template.attention
    assert template.dropout_rate == 0.0


def test_fresh_checks_the_new_fields() -> None:
    with pytest.raises(ValueError, match="hidden=0"):
        fresh(MLP(hidden=4), hidden=0)


def test_fields_are_the_constructors() -> None:
    assert fields_of(SoftCap(cap=2.0)) == {"cap": 2.0}


def test_modules_are_found_and_mapped_in_any_container() -> None:
    a, b = RMSNorm(), MLP(hidden=2)
    value = {"first": a, "rest": (b, [a, 3])}
    assert dict(modules_in(value, "slot")) == {
        "slot_first": a,
        "slot_rest_0": b,
        "slot_rest_1_0": a,
    }
    mapped = map_modules(value, lambda module: type(module).__name__)
    assert mapped == {"first": "RMSNorm", "rest": ("MLP", ["RMSNorm", 3])}
    assert map_modules(value, lambda module: module) is value
    bias = Biases()
    assert map_modules(bias, lambda module: None) is bias


class Parts(Block, kw_only=True):
    """Calls what its tuple slots hold, one after the other."""

    first: tuple[nn.Module, ...] = ()
    second: tuple[nn.Module, ...] = ()

    def __call__(self, x: jax.Array) -> jax.Array:
        for part in (*self.first, *self.second):
            x = part(x)
        return x


def test_parts_in_a_tuple_are_named_by_their_kind_wherever_they_stand() -> None:
    there = Parts(first=(RMSNorm(), MLP(hidden=4)), second=(LayerNorm(name="last"),))
    back = Parts(first=(LayerNorm(name="last"), MLP(hidden=4)), second=(RMSNorm(),))
    names = {"rms_norm", "mlp", "last"}
    for block in (there, back):
        params = jax.eval_shape(block.init, jax.random.key(0), X)["params"]
        assert set(params) == names


def test_two_parts_of_one_name_are_refused() -> None:
    match = r"Parts holds two parts named `rms_norm`.*RMSNorm\(name=\"second_rms_norm\", \.\.\.\)"
    with pytest.raises(ValueError, match=match):
        Parts(first=(RMSNorm(),), second=(RMSNorm(),))
    Parts(first=(RMSNorm(),), second=(RMSNorm(name="second_rms_norm"),))


class Inside(Block, kw_only=True):
    """Has a slot, a part and a parameter of its own beside a tuple of parts."""

    parts: tuple[nn.Module, ...] = ()
    norm: nn.Module = LayerNorm()
    own: str = "own"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm(nn.Dense(x.shape[-1], name=self.own)(x))
        for part in self.parts:
            x = part(x)
        return x * self.param("scale", nn.initializers.ones, (x.shape[-1],))


def test_a_part_named_as_a_slot_is_refused_when_the_block_is_made() -> None:
    match = r"Inside holds two parts named `norm`, LayerNorm\(\) and .*second_norm"
    with pytest.raises(ValueError, match=match):
        Inside(parts=(RMSNorm(name="norm"),))


@pytest.mark.parametrize("name", ["own", "scale"])
@pytest.mark.parametrize("depth", [0, 1])
def test_a_part_named_as_what_is_inside_is_refused_at_the_first_call(name: str, depth: int) -> None:
    block: Block = Inside(parts=(RMSNorm(name=name),))
    if depth:
        block = Parts(first=(block,))
    at = " at `inside`" if depth else ""
    match = rf"^Inside{at}: the name `{name}` is taken inside.*RMSNorm\(name=\"second_{name}\", "
    with pytest.raises(ValueError, match=match):
        block.init(jax.random.key(0), X)


@pytest.mark.parametrize(("own", "slot"), [("norm", ", one of them in the slot"), ("scale", ";")])
def test_names_that_a_block_gives_twice_are_refused(own: str, slot: str) -> None:
    match = f"^Inside: two parts or parameters are named `{own}`{slot}"
    with pytest.raises(ValueError, match=match):
        Inside(own=own).init(jax.random.key(0), X)


def nested(depth: int) -> nn.Module:
    block: nn.Module = RMSNorm()
    for _ in range(depth):
        block = Parts(first=(block,))
    return block


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kinds of all modules that Linen has made since, in order."""
    kinds: list[str] = []
    written = nn.Module.__post_init__

    def counted(self: nn.Module) -> None:
        kinds.append(type(self).__name__)
        written(self)

    monkeypatch.setattr(nn.Module, "__post_init__", counted)
    return kinds


def test_making_a_value_makes_each_part_once(made: list[str]) -> None:
    nested(10)
    assert len(made) == 11


def test_a_trace_binds_each_part_once(made: list[str]) -> None:
    block = nested(10)
    variables = jax.eval_shape(block.init, jax.random.key(0), X)
    made.clear()
    jax.eval_shape(block.apply, variables, X)
    # The model itself, and every part at its place.
    assert len(made) == 11


def test_a_trace_of_a_stack_makes_a_few_modules_for_each_layer(made: list[str]) -> None:
    def count(depth: int) -> int:
        stack = Stack(block=transformer(), depth=depth)
        variables = jax.eval_shape(stack.init, jax.random.key(0), X)
        made.clear()
        jax.eval_shape(stack.apply, variables, X)
        return len(made)

    # By hand: a layer, attention with 4 projections, an MLP with 2, two norms, a layout.
    assert count(12) - count(11) == 12


def test_a_field_cannot_be_set_in_place() -> None:
    block = MLP(hidden=4)
    with pytest.raises(
        AttributeError, match=r"field `hidden` cannot.*fresh\(block, hidden=\.\.\.\)"
    ):
        block.hidden = 8
    assert block == MLP(hidden=4)


@pytest.mark.parametrize(
    "value", [model(), transformer(mlp=GatedMLP(hidden=4))], ids=["lm", "gated"]
)
def test_a_copy_equals_the_value(value: nn.Module) -> None:
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_jitted_function_of_jax_pickles_by_its_name() -> None:
    block = MLP(hidden=4, activation=jax.nn.relu)
    assert pickle.loads(pickle.dumps(block)) == block


def test_the_class_shows_a_default_part() -> None:
    assert TransformerBlock.norm.value == LayerNorm()

    class Required(TransformerBlock, kw_only=True):
        norm: nn.Module  # pyright: ignore[reportGeneralTypeIssues]

    assert Required(attention=attention(), mlp=MLP(hidden=4)).norm == LayerNorm()


def test_tabulate_lists_a_model_and_a_module_of_ones_own_around_one() -> None:
    class Outer(nn.Module):
        inner: nn.Module

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.inner(x)

    tokens = jnp.zeros((1, 2), jnp.int32)
    assert "stack/layers_0/attention/query" in model().tabulate(
        jax.random.key(0), tokens, console_kwargs={"width": 200}
    )
    assert "inner/mlp/up" in Outer(inner=transformer()).tabulate(
        jax.random.key(0), X, console_kwargs={"width": 200}
    )


def test_a_value_that_is_called_says_where_weights_come_from() -> None:
    with pytest.raises(TypeError, match=r"holds no weights; make them, variables = model\.init"):
        transformer()(X)


@pytest.mark.parametrize(
    ("habit", "said"),
    [
        (lambda: MLP(hidden=4).parameters(), r"no `parameters`: parameters live outside"),
        (
            lambda: MLP(hidden=4).eval(),
            r"no `eval`: call model\.apply\(variables, ",
        ),
        (
            lambda: MLP(hidden=4).train(),
            r"no `train`: call model\.apply\(variables, ",
        ),
        (lambda: MLP(hidden=4).state_dict(), r"no `state_dict`: parameters live outside"),
        (lambda: attention(embed_dim=8), r"no field `embed_dim`; the width comes with the input"),
        (lambda: attention(causal=True), r"no field `causal`; who sees whom .* mask=Causal\(\)"),
        (lambda: TokenEmbedding(num_embeddings=8), r"no field `num_embeddings`; write vocab_size"),
    ],
)
def test_a_habit_from_pytorch_is_answered(habit: Callable[[], Any], said: str) -> None:
    with pytest.raises((AttributeError, TypeError), match=said):
        habit()


def test_every_block_pickles_and_copies_equal() -> None:
    wrong = []
    for case in CASES:
        for path, part in find(case.block, nn.Module).items():
            try:
                same = pickle.loads(pickle.dumps(part)) == part == copy.deepcopy(part)
            except (AttributeError, pickle.PicklingError) as error:
                same = str(error)
            wrong += [] if same is True else [f"{case} at `{path}`: {same}"]
    assert wrong == []
