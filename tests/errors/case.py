"""A case of the table of mistakes: what a user writes, and all that they are told."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks import (
    MLP,
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LayerNorm,
    LMHead,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)

KEY = jax.random.key(0)
X = jnp.ones((2, 3, 8))  # batch, seq, embed
WIDE = jnp.ones((2, 3, 16))
WHOLE = X.astype(jnp.int32)
TOKENS = jnp.zeros((2, 3), jnp.int32)
VALID = jnp.ones((2, 3), bool)


@dataclasses.dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        name: of the case; the first word is the block.
        call: what the user writes.
        kind: the exception.
        text: the whole message.
    """

    name: str
    call: Callable[[], Any]
    kind: type[Exception]
    text: str

    def __str__(self) -> str:
        return self.name


def mistake(name: str, call: Callable[[], Any], kind: type[Exception], *lines: str) -> Case:
    """A case, its message written line by line."""
    return Case(name, call, kind, "\n".join(lines))


def shapes(block: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Makes the variables of a block from shapes alone: mistakes show, nothing is computed."""
    return jax.eval_shape(lambda: block.init(KEY, *args, **kwargs))


def on(block: nn.Module, right: tuple[Any, ...], *wrong: Any, made: Any = None) -> Any:
    """Calls a block that was made for the `right` arguments on the `wrong` ones."""
    variables = jax.eval_shape(lambda: (made or block).init(KEY, *right))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), variables)
    return jax.eval_shape(lambda: block.apply(zeros, *wrong))


ATTEND, CAUSAL = MultiHeadAttention(num_heads=2), MultiHeadAttention(num_heads=2, mask=Causal())
ODD = MultiHeadAttention(num_heads=3, mask=Causal())  # three heads do not divide the width
SUBLAYERS: Mapping[str, Callable[[jax.Array], jax.Array]] = {"attention": lambda x: x}


def norm(name: str) -> nn.Module:
    return LayerNorm(name=name)


def layer(**fields: Any) -> TransformerBlock:
    return TransformerBlock(**{"attention": CAUSAL, "mlp": MLP(hidden=4), **fields})


def stack(**fields: Any) -> Stack:
    return Stack(**{"block": layer(attention=ATTEND), "depth": 2, **fields})


def model(**fields: Any) -> CausalLM:
    parts = {
        "embed": TokenEmbedding(vocab_size=5, features=8),
        "stack": Stack(block=layer(), depth=2),
        "norm": LayerNorm(),
        "head": LMHead(tied=True),
    }
    return CausalLM(**{**parts, **fields})


def encoder() -> Encoder:
    return Encoder(embed=TokenEmbedding(vocab_size=5, features=8), stack=layer(attention=ATTEND))


def both() -> EncoderDecoder:
    reads = layer(cross_attention=CrossAttention(num_heads=2))
    return EncoderDecoder(encoder=encoder(), decoder=model(stack=reads))
