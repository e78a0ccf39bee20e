"""A case of the table of mistakes: what a user writes, and all that they are told."""

import dataclasses
import re
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
MASK = (
    "who sees whom is a field of attention, as mask=Causal(); padding comes as "
    "context=Context(valid=...), True for real tokens"
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        name: of the case; the first word is the block.
        call: what the user writes.
        kind: the exception.
        parts: of the message, in their order.
        whole: whether they are its lines, all of them.
    """

    name: str
    call: Callable[[], Any]
    kind: type[Exception]
    parts: tuple[str, ...]
    whole: bool

    def problem(self) -> str | None:
        """What is told otherwise than it stands in the case; None where nothing is."""
        try:
            self.call()
        except Exception as error:
            kind, text = type(error), str(error)
        else:
            return f"{self.name}: nothing was raised"
        pattern = ".*".join(re.escape(part) for part in self.parts)
        right = text == "\n".join(self.parts) if self.whole else re.match(pattern, text, re.S)
        if kind is self.kind and right:
            return None
        return "\n".join((f"{self.name}: {kind.__name__}", text, "instead of", *self.parts))


def mistake(name: str, call: Callable[[], Any], kind: type[Exception], *lines: str) -> Case:
    """A case, its message written whole, line by line."""
    return Case(name, call, kind, lines, whole=True)


def told(name: str, call: Callable[[], Any], kind: type[Exception], *parts: str) -> Case:
    """A case, its message given by its start and further parts."""
    return Case(name, call, kind, parts, whole=False)


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
