"""`NormedPositions`: absolute positions on vectors that are normalised first."""

from blocks.core.block import Block
from blocks.core.slots import AbsolutePosition, Norm
from blocks.core.typing import Array, Float, Int, typed
from blocks.norms.layer_norm import LayerNorm


class NormedPositions(Block, kw_only=True):
    r"""Absolute positions on normalised vectors, $y_t = \mathrm{norm}(x_t) + P_t$.

    An embedding's own `embedding_norm` comes after positions; this one comes before them, as in the
    decoder of Blenderbot-small.

    Attributes:
        position: absolute positions to add, `LearnedPositions` or `SinusoidalPositions`.
        norm: norm of the vectors.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import SinusoidalPositions
        >>> from blocks.positions import NormedPositions
        >>> positions = NormedPositions(position=SinusoidalPositions())
        >>> x, at = jnp.ones((1, 3, 8)), jnp.arange(3)[None]
        >>> positions.apply(positions.init(jax.random.key(0), x, at), x, at).shape
        (1, 3, 8)

        ```

    References:
        Roller et al., Recipes for building an open-domain chatbot, 2020, arXiv:2004.13637.
    """

    position: AbsolutePosition
    norm: Norm = LayerNorm()

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], positions: Int[Array, "#batch seq"]
    ) -> Float[Array, "batch seq embed"]:
        """Normalise each token, then add the vector of its position."""
        return self.position(self.norm(x), positions).astype(x.dtype)
