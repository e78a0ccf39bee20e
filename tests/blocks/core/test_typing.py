"""`typed`: one short message for whatever does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    MLP,
    Block,
    Causal,
    CausalLM,
    LayerNorm,
    LMHead,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    replace,
)
from blocks.core.typing import Array, Float, Int, typed


@typed
def add(x: Float[Array, "a b"], y: Float[Array, "b"], times: int = 1) -> Float[Array, "a b"]:
    return x + times * y[None]


@typed
def transposed(x: Float[Array, "a b"]) -> Float[Array, "a b"]:
    return x.T


def message(error: pytest.ExceptionInfo[TypeError]) -> list[str]:
    return str(error.value).splitlines()


def test_what_fits_passes() -> None:
    np.testing.assert_array_equal(add(jnp.ones((2, 3)), jnp.ones(3), 4), 5.0 * jnp.ones((2, 3)))


def test_a_wrong_axis_shows_what_bound_it() -> None:
    with pytest.raises(TypeError) as error:
        add(jnp.ones((2, 3)), jnp.ones(4))
    assert message(error) == [
        "add: argument `y` does not fit its signature",
        "  expected: Float[Array, 'b']",
        "  actual:   f32[4]",
        "  with:     b=3 (bound by the arguments before it)",
    ]


def test_a_wrong_rank_of_the_first_argument_shows_nothing_bound() -> None:
    with pytest.raises(TypeError) as error:
        add(jnp.ones(3), jnp.ones(3))
    assert message(error) == [
        "add: argument `x` does not fit its signature",
        "  expected: Float[Array, 'a b']",
        "  actual:   f32[3]",
        "  fix:      add the a axis: x[None]",
    ]


def test_a_wrong_result_is_the_functions_fault() -> None:
    with pytest.raises(TypeError) as error:
        transposed(jnp.ones((2, 3)))
    first, expected, actual, *_ = message(error)
    assert first == "transposed: the result does not fit its signature"
    assert (expected, actual) == ("  expected: Float[Array, 'a b']", "  actual:   f32[3,2]")


@pytest.mark.parametrize(
    ("x", "actual"),
    [
        (np.ones((2, 3), np.int32), "i32[2,3]"),
        (jnp.ones((2, 3), jnp.int32), "i32[2,3]"),
        (jnp.ones((2, 3), bool), "bool[2,3]"),
        (3.0, "3.0"),
        (None, "None"),
        ("text", "'text'"),
    ],
)
def test_what_is_no_such_array_is_shown_as_it_is(x: object, actual: str) -> None:
    with pytest.raises(TypeError) as error:
        add(x, jnp.ones(3))  # pyright: ignore
    assert message(error)[2] == f"  actual:   {actual}"


def test_a_plain_type_is_checked_too() -> None:
    with pytest.raises(TypeError, match=r"argument `times`.*\n  expected: int\n  actual:   1\.5"):
        add(jnp.ones((2, 3)), jnp.ones(3), 1.5)  # pyright: ignore


def test_the_check_is_made_under_jit() -> None:
    with pytest.raises(TypeError, match=r"add: argument `y`[^`]*\n  actual:   f32\[4\]"):
        jax.jit(add)(jnp.ones((2, 3)), jnp.ones(4))


def test_errors_of_the_function_itself_pass_through() -> None:
    @typed
    def fail(x: Int[Array, ""]) -> Int[Array, ""]:
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        fail(jnp.int32(1))


def test_a_missing_argument_is_pythons_error() -> None:
    with pytest.raises(TypeError, match="argument"):
        add(jnp.ones((2, 3)))  # pyright: ignore


def test_the_error_has_no_second_error_behind_it() -> None:
    with pytest.raises(TypeError) as error:
        add(jnp.ones(3), jnp.ones(3))
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


class First(Block, kw_only=True):
    """A part that loses an axis."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return x[0]


def model() -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(vocab_size=5, features=4),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(num_heads=2, mask=Causal()), mlp=MLP(hidden=4)
            ),
            depth=2,
        ),
        norm=LayerNorm(),
        head=LMHead(tied=True),
    )


def test_a_part_deep_in_a_model_is_named_by_its_path() -> None:
    tokens = jnp.zeros((2, 3), jnp.int32)
    wrong = replace(model(), LayerNorm, lambda norm: First())
    with pytest.raises(TypeError) as error:
        wrong.init(jax.random.key(0), tokens)
    assert message(error)[:3] == [
        "MultiHeadAttention at `stack.layer_0.attention`: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   f32[3,4]",
    ]


def test_a_part_that_returns_the_wrong_shape_is_found_where_it_is_used() -> None:
    class Halved(Block, kw_only=True):
        def __call__(self, x: jax.Array, *_: object) -> jax.Array:
            return x[:, ::2]

    tokens = jnp.zeros((1, 4), jnp.int32)
    wrong = replace(model(), Stack, lambda stack: Halved())
    with pytest.raises(TypeError, match=r"CausalLM: the result .*\n.*\n  actual:   f32\[1,2,5\]"):
        wrong.init(jax.random.key(0), tokens)


def test_a_scanned_part_is_named_by_its_path() -> None:
    wrong = replace(model(), LayerNorm, lambda norm: First())
    scanned = wrong.clone(stack=wrong.stack.clone(scan=True))
    with pytest.raises(TypeError, match=r"MultiHeadAttention at `stack\.layers\.attention`"):
        scanned.init(jax.random.key(0), jnp.zeros((2, 3), jnp.int32))


def test_an_array_of_numpy_becomes_one_of_jax() -> None:
    @typed
    def kind(x: Float[Array, "a"], *more: Float[Array, "a"]) -> bool:
        return isinstance(x, jax.Array)

    assert kind(np.ones(3, np.float32))  # pyright: ignore


def test_every_argument_of_any_number_is_checked() -> None:
    @typed
    def total(*parts: Float[Array, "a"]) -> Float[Array, "a"]:
        return sum(parts, jnp.zeros(()))

    with pytest.raises(TypeError, match="argument `parts` does not fit"):
        total(jnp.ones(3), jnp.ones(2))


def test_a_size_of_the_block_is_shown_as_a_number() -> None:
    class Wide(Block, kw_only=True):
        features: int

        @typed
        def __call__(self, x: Float[Array, "batch {self.features}"]) -> Float[Array, "batch"]:
            return x[:, 0]

    with pytest.raises(TypeError, match=r"expected: Float\[Array, 'batch 4'\]"):
        Wide(features=4).apply({}, jnp.ones((2, 3)))


def test_a_hint_that_only_type_checkers_see_is_not_checked() -> None:
    def call(x: "Unseen") -> int:  # pyright: ignore
        return 3

    assert typed(call)(object()) == 3
