"""`GridBias`: a learned bias for each head and offset between two patches of an image."""

from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.scores import ScoreModification
from blocks.carry import AndCarry
from blocks.context import Coordinates
from blocks.core.bounds import Size, at_least
from blocks.core.initializers import Normal
from blocks.core.typing import Array, Dtype, Float, Initializer
from blocks.positions.cells import cells, check_image
from blocks.positions.relative_bias import shared_table


class GridBias(ScoreModification, kw_only=True):
    r"""Relative position bias on a grid: a learned number per head and two-dimensional offset.

    $$s_{ij} + B_{h,\, r_i - r_j,\, c_i - c_j}$$

    $r$ and $c$ are the row and column of a patch. Extra tokens, which come before the patches, have
    no place on the grid: three numbers per head are for scores from them to patches, from patches
    to them, and among them.

    Attributes:
        rows: number of rows of patches.
        columns: number of columns of patches.
        extra_tokens: number of tokens before the patches, such as the class token.
        param_dtype: dtype of the parameters.
        bias_init: initialiser of the numbers $B$.

    Raises:
        ValueError: a size below 1, or a call with the tokens of another grid.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention
        >>> from blocks.positions import GridBias
        >>> beit = MultiHeadAttention(num_heads=4, scores=(GridBias(rows=14, columns=14),))

        ```

    References:
        Bao et al., BEiT, 2021, arXiv:2106.08254. Liu et al., Swin Transformer, 2021,
        arXiv:2103.14030, section 3.2.
    """

    rows: Size
    columns: Size
    extra_tokens: Annotated[int, at_least(0)] = 1
    param_dtype: Dtype = jnp.float32
    bias_init: Initializer = Normal(0.02)

    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> Any:
        """The numbers $B$: offsets x heads, by row and then by column, and the three after them."""
        check_image(self, inputs)
        return self._table(num_heads)

    def _table(self, num_heads: int) -> Array:
        offsets = (2 * self.rows - 1) * (2 * self.columns - 1)
        shape = (offsets + 3 * (self.extra_tokens > 0), num_heads)
        return self.param("bias", self.bias_init, shape, self.param_dtype)

    def modify(
        self,
        scores: Float[Array, "batch heads q_seq kv_seq"],
        parameters: Float[Array, "offsets heads"],
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> Float[Array, "batch heads q_seq kv_seq"]:
        """Add the bias of its head and offset to each score."""
        (q_row, q_column, q_patch), (row, column, patch) = (
            cells(at.positions, self.columns, self.extra_tokens) for at in (query_at, key_at)
        )
        down = q_row[:, :, None] - row[:, None] + self.rows - 1
        along = q_column[:, :, None] - column[:, None] + self.columns - 1
        index = down * (2 * self.columns - 1) + along
        if self.extra_tokens:
            count = parameters.shape[0]
            others = jnp.where(patch[:, None], count - 3, count - 1)  # from an extra token
            to_extra = jnp.where(patch[:, None], index, count - 2)
            index = jnp.where(q_patch[:, :, None], to_extra, others)
        return scores + jnp.moveaxis(parameters[index], -1, 1)


class SharedGridBias(GridBias, kw_only=True):
    r"""A `GridBias` that shares the table $B$ of the first layer in a `Stack`, as BEiT's training.

    Layers with equal ones share one table, which the first of them owns.

    Raises:
        ValueError: as in `GridBias`, or a layer called outside a `Stack` and without a carry.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, MultiHeadAttention, Stack, TransformerBlock
        >>> from blocks.positions import SharedGridBias
        >>> bias = SharedGridBias(rows=2, columns=2)
        >>> attention = MultiHeadAttention(num_heads=2, scores=(bias,))
        >>> stack = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=3)
        >>> params = jax.jit(stack.init)(jax.random.key(0), jnp.ones((1, 5, 8)))["params"]
        >>> [name for name in sorted(params) if "shared_grid_bias" in params[name]["attention"]]
        ['layer_0']

        ```

    References:
        Bao et al., BEiT, 2021, arXiv:2106.08254.
    """

    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> AndCarry[Array]:
        """Return the table from the carry, or create it and leave it there."""
        check_image(self, inputs)
        return shared_table(self, num_heads, inputs, self._table)
