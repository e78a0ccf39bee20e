"""`PatchEmbedding`: an image as a sequence of vectors."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Rate, Size, at_least
from blocks.core.drop import drop
from blocks.core.initializers import LECUN_NORMAL, Normal
from blocks.core.slots import GridPosition, Norm
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class PatchEmbedding(Block, kw_only=True):
    r"""Patch embedding: square patches of an image, each mapped to a vector, row by row.

    Learned extra tokens precede the patches: a class token for a classifier to read, and registers.

    Attributes:
        size: side of a patch, in pixels.
        features: width of a vector.
        position: positions to add, `GridPositions` or `SinusoidalGrid`; None for none.
        extra_tokens: number of learned tokens before the patches; the first is the class token.
        token_positions: number of extra tokens, from the first, that have a learned position.
        embedding_norm: norm of extra tokens and patches, as in CLIP; None for none.
        use_bias: learn a bias of the map.
        dropout_rate: dropout probability on the vectors.
        dtype: dtype of the computation; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the map.
        tokens_init: initialiser of the extra tokens.

    Raises:
        ValueError: a size below 1, a rate outside [0, 1), more positions than extra tokens, or an
            image that is not whole patches.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GridPositions, PatchEmbedding
        >>> position = GridPositions(rows=2, columns=3)
        >>> embed = PatchEmbedding(size=8, features=16, position=position, extra_tokens=1)
        >>> images = jnp.ones((5, 16, 24, 3))          # batch, height, width, channels
        >>> jax.jit(embed.init_with_output)(jax.random.key(0), images)[0].shape
        (5, 7, 16)

        ```

    References:
        Dosovitskiy et al., An Image is Worth 16x16 Words, 2020, arXiv:2010.11929.
        Darcet et al., Vision Transformers Need Registers, 2023, arXiv:2309.16588.
    """

    size: Size
    features: Size
    position: GridPosition | None = None
    extra_tokens: Annotated[int, at_least(0)] = 0
    token_positions: Annotated[int, at_least(0)] = 0
    embedding_norm: Norm | None = None
    use_bias: bool = True
    dropout_rate: Rate = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    tokens_init: Initializer = Normal(0.02)

    def check_fields(self) -> None:
        """Validate which extra tokens have positions."""
        if self.token_positions > self.extra_tokens:
            raise ValueError(
                f"token_positions={self.token_positions} must be at most "
                f"extra_tokens={self.extra_tokens}; patches have their own in position."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        images: Float[Array, "batch height width channels"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.features}"]:
        """Embed every patch; `context` describes the resulting tokens."""
        batch, height, width, channels = images.shape
        rows, columns = height // self.size, width // self.size
        if (height, width) != (rows * self.size, columns * self.size) or 0 in (rows, columns):
            first = height <= 4 and height < self.size  # as many as the image has channels
            fix = "pad or resize it."
            if first:
                fix = (
                    "its channels seem to come first, move them last: jnp.moveaxis(images, 1, -1)."
                )
            raise ValueError(
                f"an image of {height} x {width} is not whole patches of size={self.size}; {fix}"
            )
        cut = images.reshape(batch, rows, self.size, columns, self.size, channels)
        patches = cut.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows, columns, -1)
        x = Linear(
            features=(self.features,),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="patches",
        )(patches)
        if self.position is not None:
            x = self.position(x).astype(x.dtype)
        x = x.reshape(batch, rows * columns, self.features)
        if self.extra_tokens:
            extra = self._extra_tokens().astype(x.dtype)
            extra = jnp.broadcast_to(extra[None], (batch, *extra.shape))
            x = jnp.concatenate([extra, x], axis=1)
        if self.embedding_norm is not None:
            x = self.embedding_norm(x).astype(x.dtype)
        return drop(self, x, self.dropout_rate, deterministic)

    def _extra_tokens(self) -> Array:
        """The learned tokens, the first of them at their positions."""
        shape = (self.extra_tokens, self.features)
        tokens = self.param("tokens", self.tokens_init, shape, self.param_dtype)
        if not self.token_positions:
            return tokens
        shape = (self.token_positions, self.features)
        positions = self.param("token_positions", self.tokens_init, shape, self.param_dtype)
        return tokens.at[: self.token_positions].add(positions)
