"""Where an error arose: once, at the innermost block, whatever raised it."""

import jax
import jax.numpy as jnp
import pytest
from errors.case import CAUSAL, KEY, TOKENS, VALID, X, layer, model, shapes, stack

from blocks import MLP, Block, Context, TokenEmbedding, checked, replace
from blocks.core.typing import Array, Float, typed


class Failing(Block, kw_only=True):
    """A user's block with an error of its own."""

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None, deterministic: bool
    ) -> Float[Array, "batch seq embed"]:
        """Fails."""
        raise KeyError("mine")


def test_an_error_of_another_library_keeps_its_message_and_gets_a_note() -> None:
    with pytest.raises(KeyError, match="mine") as error:
        shapes(replace(stack(), MLP, lambda old: Failing()), X)
    assert error.value.args == ("mine",)
    assert error.value.__notes__[0] == "This happened in Failing at `layer_0.mlp`."
    assert sum("This happened in" in note for note in error.value.__notes__) == 1


def test_a_value_is_checked_at_the_block_that_is_running() -> None:
    variables = model().init(KEY, TOKENS)
    text = r"^TokenEmbedding at `embed`: token ids from 9 to 9 do not fit vocab_size=5"
    with pytest.raises(ValueError, match=text):
        model().apply(variables, TOKENS + 9)
    with pytest.raises(ValueError, match=text.removeprefix("^")):
        checked(model().apply)(variables, TOKENS + 9)


def test_a_part_made_in_a_running_block_is_named_with_the_block() -> None:
    class Making(Block, kw_only=True):
        @typed
        def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
            return MLP(hidden=0)(x)

    with pytest.raises(ValueError, match=r"^Making: MLP: hidden=0 must be at least 1"):
        shapes(Making(), X)


def test_the_block_that_was_running_is_forgotten_after_an_error() -> None:
    with pytest.raises(TypeError):
        shapes(layer(), X[0])
    with pytest.raises(ValueError, match=r"^TokenEmbedding: vocab_size=0"):
        TokenEmbedding(vocab_size=0, features=8)


def test_a_function_is_named_outside_of_blocks() -> None:
    @typed
    def double(x: Float[Array, "n"]) -> Float[Array, "n"]:
        return 2 * x

    with pytest.raises(TypeError, match=r"^test_a_function_.*double: argument `x` does not fit"):
        double(jnp.ones((1, 1)))


def test_caches_of_other_sizes_name_the_layer() -> None:
    variables = jax.eval_shape(lambda: CAUSAL.init(KEY, X, Context(cache_size=5)))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), variables)
    with pytest.raises(ValueError, match=r"^MultiHeadAttention: cache_size=4 differs"):
        CAUSAL.apply(zeros, X, Context(cache_size=4, valid=VALID), mutable=["cache"])
