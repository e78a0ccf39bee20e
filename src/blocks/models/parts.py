"""What models have in common: an embedding, layers, a last norm and a head, one after the other."""

from typing import Annotated, Any, TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.slots import Called, Embedding, Head, Mixer, Norm
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, typed

# A model in a slot: a `Model`, or one in an adapter, which has its methods too.
LanguageModel: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]


class Model(Block, kw_only=True):
    """Base class for models: embedding, layers, norm and head, of which layers alone must be.

    Attributes:
        embed: from the input to vectors; None where the input is vectors already.
        stack: the layers.
        norm: the last norm; None where the layout leaves normalised sums, as `PostNorm`.
        head: from vectors to what is asked for; None leaves the vectors.
    """

    embed: Embedding | None
    stack: Mixer
    norm: Norm | None
    head: Head | None

    @nn.compact
    @typed
    def hidden(
        self, inputs: Any, context: Context | None = None, deterministic: bool = True
    ) -> Float[Array, "batch seq embed"]:
        """Gives what the head reads: the vector of each token after the last norm.

        Raises:
            ValueError: a context with a carry, which the layers of a model start themselves, or a
            cache where `embed` makes another number of tokens.
        """
        context = Context() if context is None else context
        if context.carry is not None:
            raise ValueError(
                f"{type(self).__name__} starts the carry of its layers; leave carry out of the "
                "context, or call its stack."
            )
        if inputs.ndim < 4:  # of an image, the tokens come of the embedding
            context = count_tokens(self, context, *inputs.shape[:2])
        x = self.embedded(inputs, context, deterministic)
        same = inputs.ndim < 4 and x.shape[:2] == inputs.shape[:2]
        if context.cache_size is not None and not same:
            raise ValueError(
                f"embed makes {x.shape[1]} tokens of inputs of shape {inputs.shape}, whose "
                "positions a cache cannot count from call to call; leave cache_size out of the "
                "context."
            )
        if context.x0 is None:
            context = context.replace(x0=x)
        if context.tokens is None and jnp.issubdtype(inputs.dtype, jnp.integer):
            context = context.replace(tokens=inputs)
        x = self.stack(x, context, deterministic).astype(x.dtype)
        return x if self.norm is None else self.norm(x).astype(x.dtype)

    def embedded(self, inputs: Any, context: Any = None, deterministic: bool = True) -> Array:
        """Gives what the layers start from."""
        return inputs if self.embed is None else self.embed(inputs, context, deterministic)

    def logits(
        self, x: Float[Array, "batch seq embed"], context: Any = None, deterministic: bool = True
    ) -> Array:
        """Gives what the head makes of the vectors that `hidden` gives.

        Raises:
            ValueError: a tied head, and an embedding without a table.
        """
        if self.head is None:
            return x
        if not any(getattr(part, "tied", False) for part in find(self.head, nn.Module).values()):
            return self.head(x, context, deterministic)
        table = getattr(self.embed, "table", None)
        if table is None:
            raise ValueError(
                f"head={self.head!r} is tied, and embed={self.embed!r} has no method `table` for "
                "it; use a head of its own."
            )
        return self.head(x, context, deterministic, table=table())
