"""Encoder: a vector for each token of a sequence, each of which knows all of it."""

from typing import TypeAlias

import flax.linen as nn
import jax.numpy as jnp

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
        x = inputs if self.embed is None else self.embed(inputs, context, deterministic)
        tokens = inputs if jnp.issubdtype(inputs.dtype, jnp.integer) else None
        context = (Context() if context is None else context).replace(x0=x, tokens=tokens)
        x = self.stack(x, context, deterministic)
        return x if self.norm is None else self.norm(x)
