"""`VectorEmbedding`: the input of a model that is given vectors, with their positions."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context, locate
from blocks.core.block import Block
from blocks.core.bounds import Rate
from blocks.core.drop import drop
from blocks.core.slots import AbsolutePosition, Norm
from blocks.core.typing import Array, Float, typed


class VectorEmbedding(Block, kw_only=True):
    r"""Embedding of vectors: a scale, absolute positions and a norm on what is given as vectors.

    $$y_t = \mathrm{norm}(s\,x_t + P_t)$$

    As the embedding of an encoder in an `EncoderDecoder`, it takes the vectors of token ids from
    the decoder's table: the two share the table, and each has positions and a norm of its own, as
    in BART.

    Attributes:
        position: absolute positions to add, `LearnedPositions` or `SinusoidalPositions`; None
            for none.
        embedding_scale: factor $s$ on the vectors.
        embedding_norm: norm of the sum; None for none.
        dropout_rate: dropout probability on the result.

    Raises:
        ValueError: a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LayerNorm, LearnedPositions
        >>> from blocks.embeddings import VectorEmbedding
        >>> position = LearnedPositions(max_length=4)
        >>> embed = VectorEmbedding(position=position, embedding_norm=LayerNorm())
        >>> x = jnp.ones((1, 3, 8))
        >>> embed.apply(embed.init(jax.random.key(0), x), x).shape
        (1, 3, 8)

        ```

    References:
        Lewis et al., BART, 2019, arXiv:1910.13461.
    """

    position: AbsolutePosition | None = None
    embedding_scale: float = 1.0
    embedding_norm: Norm | None = None
    dropout_rate: Rate = 0.0

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Scale every vector, and add its position."""
        context = Context() if context is None else context
        context.check(*x.shape[:2])
        y = x * jnp.asarray(self.embedding_scale, x.dtype)
        if self.position is not None:
            counted = count_tokens(self, context, *x.shape[:2])
            y = self.position(y, locate(counted, *x.shape[:2]).positions).astype(x.dtype)
        if self.embedding_norm is not None:
            y = self.embedding_norm(y).astype(x.dtype)
        return drop(self, y, self.dropout_rate, deterministic)
