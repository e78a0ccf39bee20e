"""`Model`, the base of models: an embedding, layers, a final norm and a head."""

from typing import Annotated, Any, TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.slots import Called, Embedding, Head, Mixer, Norm
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, typed
from blocks.models.reading import refuse_unread

# A model in a slot: a `Model`, or an adapter of one, which has its methods too.
LanguageModel: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]


class Model(Block, kw_only=True):
    """Base class for models: embedding, layers, norm and head, of which only layers are required.

    Attributes:
        embed: embedding of the input; None if the inputs are vectors.
        stack: the layers.
        norm: final norm; None where the layout normalises the sum itself, as `PostNorm` does.
        head: head on the vectors; None returns the vectors.
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
        """Compute the input of the head: the vector of each token after the final norm.

        Raises:
            ValueError: a context with a carry or streams, which a model starts itself, or with what
                no part reads, or a cache if `embed` changes the number of tokens.
        """
        context = Context() if context is None else context
        starts = {"carry": context.carry is not None, "streams": context.streams > 1}
        for name, given in starts.items():
            if given:
                raise ValueError(
                    f"{type(self).__name__} starts the {name} of its layers; leave {name} out of "
                    "the context, or call its stack."
                )
        refuse_unread(self, context)
        if inputs.ndim < 4:  # for an image, the embedding makes the tokens
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
        """Compute the input of the first layer."""
        return inputs if self.embed is None else self.embed(inputs, context, deterministic)

    def vectors(self, tokens: Any) -> Array:
        """Look token ids up in the table of the embedding, for an encoder that shares it.

        Raises:
            ValueError: an embedding that has no table.
        """
        look_up = getattr(self.embed, "vectors", None)
        if look_up is None:
            raise ValueError(
                f"the encoder looks its tokens up in the decoder's table, and embed={self.embed!r} "
                "has no method `vectors` for it; give the encoder an embedding of its own."
            )
        return look_up(tokens)

    def logits(
        self, x: Float[Array, "batch seq embed"], context: Any = None, deterministic: bool = True
    ) -> Array:
        """Apply the head to the vectors that `hidden` returns.

        Raises:
            ValueError: a tied head with an embedding that has no table.
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
