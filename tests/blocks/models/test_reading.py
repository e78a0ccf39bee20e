"""What a call gives a model: read by a part of it, or refused in words."""

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
    Context,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LMHead,
    LoRA,
    MultiHeadAttention,
    MultiTokenLM,
    Normal,
    Plain,
    TokenEmbedding,
    TokenTypes,
    TransformerBlock,
    ValueEmbedding,
)
from blocks.attention import HeadTransform
from blocks.residual import AdaptiveNormZero, X0Mix

KEY = jax.random.key(0)
TOKENS = jnp.array([[1, 2, 3], [4, 5, 6]])
VECTORS = jnp.arange(48.0).reshape(2, 3, 8) / 48
EMBED = TokenEmbedding(vocab_size=11, features=8)
STEERED = AdaptiveNormZero(kernel_init=Normal(0.5))


def layer(mlp: nn.Module | None = None, **fields: Any) -> TransformerBlock:
    attention = MultiHeadAttention(num_heads=2, mask=Causal())
    return TransformerBlock(attention=attention, mlp=mlp or MLP(hidden=4), **fields)


def model(stack: nn.Module, **fields: Any) -> CausalLM:
    parts = {"embed": EMBED, "norm": None, "head": LMHead(tied=True)}
    return CausalLM(**{**parts, "stack": stack, **fields})


READS = layer(cross_attention=CrossAttention(num_heads=2))
VALUES = ValueEmbedding(vocab_size=11)
LOOKS_UP = TransformerBlock(
    attention=MultiHeadAttention(num_heads=2, mask=Causal(), values=(VALUES,)), mlp=MLP(hidden=4)
)
BOTH = EncoderDecoder(encoder=Encoder(embed=EMBED, stack=layer()), decoder=model(READS))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"memory": VECTORS}, "memory is given, .* cross_attention=CrossAttention"),
        ({"memory_valid": TOKENS > 0}, "memory_valid is given, .* cross_attention=CrossAttention"),
        ({"condition": VECTORS[:, 0]}, r"condition is given, .* residual=AdaptiveNormZero\(\)"),
        (
            {"token_type_ids": TOKENS % 2},
            r"token_type_ids is given, .* added=\(TokenTypes\(...\),\)",
        ),
        ({"x0": VECTORS}, r"x0 is given, .* residual=X0Mix\(\)"),
        ({"tokens": TOKENS}, r"tokens is given, .* values=\(ValueEmbedding\(...\),\)"),
        ({"extras": {"own": VECTORS}}, "extras is given, .* a block of your own"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize(
    "block",
    [
        model(layer()),
        Encoder(embed=EMBED, stack=layer()),
        LoRA(block=model(layer())),
        MultiTokenLM(model=model(layer()), block=layer()),
    ],
    ids=lambda block: type(block).__name__,
)
def test_what_no_part_reads_is_refused(block: nn.Module, given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"{words}.*leave {next(iter(given))} out of the context"):
        block.init(KEY, TOKENS, Context(**given))


@pytest.mark.parametrize(
    ("block", "given"),
    [
        (model(READS), {"memory": VECTORS, "memory_valid": TOKENS > 1}),
        (model(layer(residual=STEERED)), {"condition": VECTORS[:, 0]}),
        (
            model(
                layer(),
                embed=TokenEmbedding(
                    vocab_size=11, features=8, added=(TokenTypes(num_types=2, features=8),)
                ),
            ),
            {"token_type_ids": TOKENS % 2},
        ),
        (model(layer(residual=X0Mix())), {"x0": VECTORS}),
        (model(LOOKS_UP), {"tokens": TOKENS}),
    ],
    ids=["memory", "condition", "token_type_ids", "x0", "tokens"],
)
def test_what_a_part_reads_is_taken(block: nn.Module, given: Any) -> None:
    block.init(KEY, TOKENS, Context(**given))


class Silent(Block, kw_only=True):
    """A block of a user's own that does not say what it reads."""

    def __call__(self, x, context=None, deterministic=True):
        return x if context is None else x * (1 + context.extras["own"])


class Declared(Silent, kw_only=True):
    """One that does."""

    reads = frozenset({"extras"})


@pytest.mark.parametrize("mlp", [Silent(), Declared()], ids=["silent", "declared"])
def test_a_block_of_ones_own_is_given_its_arrays(mlp: nn.Module) -> None:
    model(layer(mlp=mlp)).init(KEY, TOKENS, Context(extras={"own": VECTORS}))


def test_nothing_is_refused_where_a_block_of_ones_own_may_read_it() -> None:
    context = Context(extras={"own": VECTORS}, condition=VECTORS[:, 0])
    model(layer(mlp=Silent())).init(KEY, TOKENS, context)


def test_a_block_of_ones_own_that_says_what_it_reads_does_not_take_the_rest() -> None:
    context = Context(extras={"own": VECTORS}, condition=VECTORS[:, 0])
    with pytest.raises(ValueError, match=r"condition is given, .*no part of CausalLM reads it"):
        model(layer(mlp=Declared())).init(KEY, TOKENS, context)


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_one_side_may_be_steered_alone(side: str) -> None:
    encoder = Encoder(
        embed=EMBED, stack=layer(**({"residual": STEERED} if side == "encoder" else {}))
    )
    cross = {"cross_attention": CrossAttention(num_heads=2)}
    decoder = model(layer(**cross, **({"residual": STEERED} if side == "decoder" else {})))
    both = EncoderDecoder(encoder=encoder, decoder=decoder)
    contexts = [Context(condition=sign * VECTORS[:, 0]) for sign in (1, -1)]
    variables = both.init(KEY, TOKENS, TOKENS, contexts[0])
    one, other = (both.apply(variables, TOKENS, TOKENS, context) for context in contexts)
    assert not np.array_equal(np.asarray(one), np.asarray(other))


def test_token_types_are_the_decoders() -> None:
    typed = TokenEmbedding(vocab_size=11, features=8, added=(TokenTypes(num_types=2, features=8),))
    both = EncoderDecoder(encoder=Encoder(embed=typed, stack=layer()), decoder=model(READS))
    with pytest.raises(
        ValueError, match=r"token_type_ids is given, .*no part of CausalLM reads it"
    ):
        both.init(KEY, TOKENS, TOKENS, Context(token_type_ids=TOKENS % 2))


def test_memory_and_a_source_are_refused_together() -> None:
    with pytest.raises(ValueError, match=r"^EncoderDecoder: a source and memory are both given"):
        BOTH.init(KEY, TOKENS, TOKENS, Context(memory=VECTORS))


def test_a_step_ahead_may_read_what_the_model_does_not() -> None:
    several = MultiTokenLM(model=model(layer()), block=layer(residual=STEERED))
    several.init(KEY, TOKENS, Context(condition=VECTORS[:, 0]))


@pytest.mark.parametrize(
    "given", [{"x0": VECTORS}, {"tokens": TOKENS}], ids=lambda g: next(iter(g))
)
def test_a_step_ahead_has_its_own_x0_and_tokens(given: Any) -> None:
    ahead = layer(residual=X0Mix()) if "x0" in given else LOOKS_UP
    several = MultiTokenLM(model=model(layer()), block=ahead)
    with pytest.raises(ValueError, match="no part of CausalLM reads it"):
        several.init(KEY, TOKENS, Context(**given))


class OwnNorm(nn.Module):
    """A plain module that is called with `x` alone."""

    @nn.compact
    def __call__(self, x):
        return x * self.param("scale", nn.initializers.ones, (x.shape[-1],))


class MaskedNorm(OwnNorm):
    """One that could be called with more, and in the slot of a norm is not."""

    @nn.compact
    def __call__(self, x, valid=None):
        return super().__call__(x)


@pytest.mark.parametrize("own", [OwnNorm(), MaskedNorm()], ids=lambda own: type(own).__name__)
def test_a_norm_of_ones_own_reads_nothing_of_the_context(own: nn.Module) -> None:
    with pytest.raises(ValueError, match="condition is given, and no part of CausalLM reads it"):
        model(layer(norm=own)).init(KEY, TOKENS, Context(condition=VECTORS[:, 0]))


def test_a_plain_module_called_with_x_alone_reads_nothing_of_the_context() -> None:
    with pytest.raises(ValueError, match="condition is given, and no part of CausalLM reads it"):
        model(layer(mlp=Plain(block=OwnNorm()))).init(KEY, TOKENS, Context(condition=VECTORS[:, 0]))


class OwnGate(HeadTransform, kw_only=True):
    """A part of attention, which is given the context among its inputs."""

    def __call__(self, heads, inputs):
        assert inputs.context.condition is not None
        return heads * inputs.context.condition[:, None, None, :1]


def test_a_part_of_attention_of_ones_own_may_read_the_context() -> None:
    attention = MultiHeadAttention(num_heads=2, mask=Causal(), gate=OwnGate())
    gated = TransformerBlock(attention=attention, mlp=MLP(hidden=4))
    model(gated).init(KEY, TOKENS, Context(condition=VECTORS[:, 0]))


def test_a_model_starts_the_streams_of_its_layers() -> None:
    with pytest.raises(ValueError, match=r"CausalLM starts the streams .*leave streams out"):
        model(layer()).init(KEY, TOKENS, Context(streams=2))
