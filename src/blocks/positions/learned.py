"""Learned absolute positions."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.core.block import Block
from blocks.core.bounds import Size, at_least
from blocks.core.checks import check_values
from blocks.core.initializers import Normal
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed


class LearnedPositions(Block, kw_only=True):
    r"""Learned absolute positions: a vector per position, $y_t = x_t + P_t$.

    Attributes:
        max_length: number of positions.
        offset: row of the table for position 0; OPT has 2.
        dtype: dtype of the result; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        embedding_init: initialiser of the table.

    Raises:
        ValueError: fewer than one position, a negative offset, or a token past the last.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LearnedPositions
        >>> positions = LearnedPositions(max_length=16)
        >>> x = jnp.zeros((1, 4, 8))
        >>> positions.init(jax.random.key(0), x, jnp.arange(4)[None])["params"]["embedding"].shape
        (16, 8)

        ```

    References:
        Gehring et al., Convolutional Sequence to Sequence Learning, 2017, arXiv:1705.03122.
    """

    max_length: Size
    offset: Annotated[int, at_least(0, ", the first row")] = 0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = Normal(0.02)

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], positions: Int[Array, "#batch seq"]
    ) -> Float[Array, "batch seq embed"]:
        """Add the vector of its position to each token."""
        if x.shape[1] > self.max_length:
            raise ValueError(
                f"seq={x.shape[1]} is longer than max_length={self.max_length}; "
                "shorten the input or raise max_length."
            )
        limits = jnp.iinfo(positions.dtype)  # initial values, for calls without tokens
        check_values(
            (positions >= 0).all() & (positions < self.max_length).all(),
            "positions from {low} to {high} do not fit max_length={size}; "
            "shorten the input or raise max_length.",
            low=positions.min(initial=limits.max),
            high=positions.max(initial=limits.min),
            size=self.max_length,
        )
        shape = (self.offset + self.max_length, x.shape[-1])
        table = self.param("embedding", self.embedding_init, shape, self.param_dtype)
        x, table = promote_dtype(x, table, dtype=self.dtype)
        return x + table[positions + self.offset if self.offset else positions]
