"""`GridRoPE`: rotary positions of patches of an image, by row and by column."""

import math
from typing import Annotated

import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.qk import QKTransform
from blocks.core.bounds import Size, at_least, positive
from blocks.core.typing import Array, Float, Int, typed
from blocks.positions.cells import cells, check_image
from blocks.positions.rotary import turn


class GridRoPE(QKTransform, kw_only=True):
    r"""Rotary positions on a grid: half of the pairs turn by a patch's row, half by its column.

    $$\phi_i = 2\pi\, y\, \theta^{-4i/n}, \qquad \phi_{n/4 + i} = 2\pi\, x\, \theta^{-4i/n},
    \qquad y = 2\, \frac{r + 1/2}{\mathrm{rows}} - 1$$

    $x$ likewise from the column, so that the sides of an image are at -1 and 1 at any size. Pair
    $i$ is features $i$ and $i + n/2$ of a head's $n$. Extra tokens, before the patches, stay.

    Attributes:
        rows: number of rows of patches.
        columns: number of columns of patches.
        extra_tokens: number of tokens before the patches: a class token and registers.
        theta: base of the wavelengths, of which the longest is about half of `theta` sides.

    Raises:
        ValueError: a size below 1, a base that is not positive, heads whose width is not a multiple
            of 4, or a call with the tokens of another grid.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention
        >>> from blocks.positions import GridRoPE
        >>> position = GridRoPE(rows=14, columns=14, extra_tokens=5)
        >>> dinov3 = MultiHeadAttention(num_heads=6, position=position)

        ```

    References:
        Siméoni et al., DINOv3, 2025, arXiv:2508.10104, section 3.2.
        Heo et al., Rotary Position Embedding for Vision Transformer, 2024, arXiv:2403.13298.
    """

    rows: Size
    columns: Size
    extra_tokens: Annotated[int, at_least(0)] = 1
    theta: Annotated[float, positive("; 100 is usual")] = 100.0

    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Rotate queries and keys of patches."""
        head_dim = query.shape[-1]
        if head_dim % 4:
            raise ValueError(f"head_dim={head_dim} must be a multiple of 4: pairs for two axes.")
        check_image(self, inputs)
        return (
            turn(query, self._angles(inputs.query_at.positions, head_dim // 4)),
            turn(key, self._angles(inputs.key_at.positions, head_dim // 4)),
        )

    def _angles(
        self, positions: Int[Array, "#batch seq"], pairs: int
    ) -> Float[Array, "#batch seq both"]:
        row, column, patch = cells(positions, self.columns, self.extra_tokens)
        frequencies = 2.0 * math.pi * self.theta ** -(jnp.arange(pairs, dtype=jnp.float32) / pairs)
        axes = []
        for cell, count in ((row, self.rows), (column, self.columns)):
            place = 2.0 * (cell.astype(jnp.float32) + 0.5) / count - 1.0
            axes.append(place[..., None] * frequencies[None, None])
        return jnp.where(patch[..., None], jnp.concatenate(axes, axis=-1), 0.0)
