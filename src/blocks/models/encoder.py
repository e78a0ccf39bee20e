"""Encoder: a vector for each token of a sequence, each of which knows all of it."""

from typing import TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.typing import Array, Float, Int, typed

# Token ids, vectors, or images.
Inputs: TypeAlias = (
    Int[Array, "batch in_seq"]
    | Float[Array, "batch in_seq in_embed"]
    | Float[Array, "batch height width channels"]
)


class Encoder(Block, kw_only=True):
    r"""Vectors for a sequence, each of which knows all of it.

    $$h = \mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{input})))$$

    Attributes:
        embed: from the input to vectors; None where the input is vectors already.
        stack: the layers; they may see ahead.
        norm: the last norm; None where the layout leaves normalised sums, as `PostNorm`.

    Raises:
        ValueError: a call with a cache, where `embed` makes another number of tokens.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Encoder, MLP, MultiHeadAttention, Stack, TokenEmbedding
        >>> from blocks import TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=4)
        >>> layer = TransformerBlock(attention=attention, mlp=MLP(hidden=64))
        >>> encoder = Encoder(
        ...     embed=TokenEmbedding(vocab_size=65, features=16), stack=Stack(block=layer, depth=2)
        ... )
        >>> tokens = jnp.zeros((1, 6), jnp.int32)
        >>> encoder.apply(encoder.init(jax.random.key(0), tokens), tokens).shape
        (1, 6, 16)

        ```

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    embed: nn.Module | None
    stack: nn.Module
    norm: nn.Module | None = None

    @nn.compact
    @typed
    def __call__(
        self,
        inputs: Inputs,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch out_seq embed"]:
        """Gives a vector for each token of `inputs`."""
        context = Context() if context is None else context
        if inputs.ndim < 4:  # of an image, the tokens come of the embedding
            context = count_tokens(self, context, *inputs.shape[:2])
        x = inputs if self.embed is None else self.embed(inputs, context, deterministic)
        same = inputs.ndim < 4 and x.shape[:2] == inputs.shape[:2]
        if context.cache_size is not None and not same:
            raise ValueError(
                f"embed makes {x.shape[1]} tokens of inputs of shape {inputs.shape}, whose "
                "positions a cache cannot count from call to call; leave cache_size out of the "
                "context."
            )
        tokens = inputs if jnp.issubdtype(inputs.dtype, jnp.integer) else None
        context = context.replace(x0=x, tokens=tokens)
        x = self.stack(x, context, deterministic)
        return x if self.norm is None else self.norm(x)
