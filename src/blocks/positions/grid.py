"""Two-dimensional absolute positions, for patches of images."""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.core.block import Block
from blocks.core.bounds import Size, positive
from blocks.core.initializers import Normal
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.positions.sinusoidal import sinusoids


class GridPositions(Block, kw_only=True):
    r"""Learned two-dimensional positions: a vector per cell of a grid, $y_{rc} = x_{rc} + P_{rc}$.

    For a grid of another size the table is interpolated, so that a model can be applied to larger
    images than in training.

    Attributes:
        rows: number of rows of the table's grid.
        columns: number of columns of the table's grid.
        dtype: dtype of the result; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        embedding_init: initialiser of the table.

    Raises:
        ValueError: a size below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GridPositions
        >>> positions = GridPositions(rows=2, columns=2)
        >>> variables = jax.jit(positions.init)(jax.random.key(0), jnp.zeros((1, 2, 2, 8)))
        >>> positions.apply(variables, jnp.zeros((1, 4, 6, 8))).shape
        (1, 4, 6, 8)

        ```

    References:
        Dosovitskiy et al., An Image is Worth 16x16 Words, 2020, arXiv:2010.11929, section 3.2.
    """

    rows: Size
    columns: Size
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = Normal(0.02)

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch rows columns embed"]
    ) -> Float[Array, "batch rows columns embed"]:
        """Add the vector of its cell to each patch."""
        shape = (self.rows, self.columns, x.shape[-1])
        table = self.param("embedding", self.embedding_init, shape, self.param_dtype)
        if x.shape[1:] != shape:
            table = jax.image.resize(table, x.shape[1:], "bicubic")
        x, table = promote_dtype(x, table, dtype=self.dtype)
        return x + table[None]


class SinusoidalGrid(Block, kw_only=True):
    r"""Sinusoidal positions in two dimensions: half of the features for rows, half for columns.

    Attributes:
        max_wavelength: the base of the wavelengths, as in `SinusoidalPositions`.

    Raises:
        ValueError: a base that is not positive, or a number of features not divisible by 4.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks.positions import SinusoidalGrid
        >>> SinusoidalGrid().apply({}, jnp.zeros((1, 2, 2, 4)))[0, 0, 0]
        Array([0., 1., 0., 1.], dtype=float32)

        ```

    References:
        He et al., Masked Autoencoders Are Scalable Vision Learners, 2021, arXiv:2111.06377.
    """

    max_wavelength: Annotated[float, positive()] = 10_000.0

    @typed
    def __call__(
        self, x: Float[Array, "batch rows columns embed"]
    ) -> Float[Array, "batch rows columns embed"]:
        """Add the sines and cosines of its cell to each patch."""
        _, rows, columns, embed = x.shape
        if embed % 4:
            raise ValueError(f"embed={embed} must be a multiple of 4: sine and cosine, twice.")
        down = sinusoids(jnp.arange(rows)[None], embed // 2, self.max_wavelength)[0]
        along = sinusoids(jnp.arange(columns)[None], embed // 2, self.max_wavelength)[0]
        shape = (rows, columns, embed // 2)
        waves = [
            jnp.broadcast_to(down[:, None], shape),
            jnp.broadcast_to(along[None], shape),
        ]
        return x + jnp.concatenate(waves, axis=-1).astype(x.dtype)[None]
