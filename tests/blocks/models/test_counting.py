"""Absolute positions go on from call to call of a cache, whatever container hands them on."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted

from blocks import (
    MLP,
    Causal,
    Context,
    ConvolutionStem,
    Encoder,
    LearnedPositions,
    MultiHeadAttention,
    PatchEmbedding,
    SinusoidalPositions,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.caches import select_rows

EMBED = TokenEmbedding(vocab_size=11, features=8, position=SinusoidalPositions())
STACK = Stack(
    block=TransformerBlock(
        attention=MultiHeadAttention(num_heads=2, mask=Causal()), mlp=MLP(hidden=8)
    ),
    depth=1,
)
TOKENS = jax.random.randint(jax.random.key(0), (2, 7), 0, 11)


class Container(nn.Module):
    """One of a user's own, which counts nothing itself."""

    embed: Any
    stack: Any

    def __call__(self, tokens: jax.Array, context: Context | None = None) -> jax.Array:
        return self.stack(self.embed(tokens, context), context)


class OwnEmbedding(nn.Module):
    """One of a user's own, which takes positions as it is given them."""

    @nn.compact
    def __call__(
        self, tokens: Any, context: Context | None = None, deterministic: Any = True
    ) -> Any:
        positions = jnp.arange(tokens.shape[1])[None]
        if context is not None and context.positions is not None:
            positions = context.positions
        x = nn.Embed(11, 8, name="table")(tokens)
        return LearnedPositions(max_length=9, name="position")(x, positions)


MODELS = {
    "encoder": Encoder(embed=EMBED, stack=STACK),
    "encoder with an embedding of one's own": Encoder(embed=OwnEmbedding(), stack=STACK),
    "container of one's own": Container(embed=EMBED, stack=STACK),
}


def called(model: Any, variables: Any, sizes: tuple[int, ...], **split: jax.Array) -> Any:
    cache, outputs, start = {}, [], 0
    for size in sizes:
        place = slice(start, start + size)
        context = Context(cache_size=9, **{name: x[:, place] for name, x in split.items()})
        out, cache = jitted(
            model, {**variables, **cache}, TOKENS[:, place], context, mutable=["cache"]
        )
        outputs.append(out)
        start += size
    return jnp.concatenate(outputs, axis=1), cache


@pytest.mark.parametrize("name", MODELS)
def test_calls_with_a_cache_count_on(name: str) -> None:
    model = MODELS[name]
    variables = jax.tree.map(
        lambda x: 10.0 * x if x.ndim == 2 else x, drawn_variables(model, TOKENS, seed=1)
    )
    whole = jitted(model, variables, TOKENS)
    got, _ = called(model, variables, (3, 1, 3))
    np.testing.assert_allclose(got, whole, rtol=1e-4, atol=1e-4)


def test_padding_is_not_counted() -> None:
    model, valid = MODELS["container of one's own"], jnp.ones((2, 7), bool).at[0, 1].set(False)
    variables = drawn_variables(model, TOKENS, seed=1)
    whole = jnp.asarray(jitted(model, variables, TOKENS, Context(valid=valid)))
    got, _ = called(model, variables, (3, 4), valid=valid)
    np.testing.assert_allclose(got[valid], whole[valid], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["encoder", "container of one's own"])
def test_a_document_goes_on_where_the_last_call_left_it(name: str) -> None:
    model, documents = MODELS[name], jnp.array([[1, 1, 2, 2, 2, 3, 3], [1, 1, 1, 1, 1, 1, 2]])
    variables = jax.tree.map(
        lambda x: 10.0 * x if x.ndim == 2 else x, drawn_variables(model, TOKENS, seed=1)
    )
    whole = jitted(model, variables, TOKENS, Context(segment_ids=documents))
    got, _ = called(model, variables, (3, 1, 3), segment_ids=documents)
    np.testing.assert_allclose(got, whole, rtol=1e-4, atol=1e-4)


def test_counts_are_chosen_with_the_rows() -> None:
    model = MODELS["container of one's own"]
    valid = jnp.ones((2, 7), bool).at[0, 1].set(False)
    variables = drawn_variables(model, TOKENS, seed=1)
    _, cache = called(model, variables, (3,), valid=valid)
    turned = select_rows(cache["cache"], jnp.array([1, 0]))
    np.testing.assert_array_equal(turned["embed"]["num_tokens"].num_tokens, [3, 2])


def test_what_changes_the_number_of_tokens_has_no_cache() -> None:
    image = Encoder(embed=PatchEmbedding(size=2, features=8), stack=STACK)
    with pytest.raises(ValueError, match=r"embed makes 4 tokens of inputs of shape \(1, 4, 4, 3\)"):
        image.init(jax.random.key(0), jnp.ones((1, 4, 4, 3)), Context(cache_size=9))
    with pytest.raises(ValueError, match=r"reads a signal as a whole, .*; leave cache_size out"):
        ConvolutionStem(features=8).init(
            jax.random.key(0), jnp.ones((1, 4, 3)), Context(cache_size=9)
        )
