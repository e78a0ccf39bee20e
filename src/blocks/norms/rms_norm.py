"""`RMSNorm`: each token scaled to unit root mean square."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from blocks.core.block import Block
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.norms.affine import affine


@typed
def rms_norm(
    x: Float[Array, "*batch embed"],
    scale: Float[Array, "embed"] | None = None,
    epsilon: float = 1e-6,
) -> Float[Array, "*batch embed"]:
    r"""Scale each token to unit root mean square: $x / \sqrt{\overline{x^2} + \epsilon}$."""
    dtype = x.dtype
    x = x.astype(jnp.float32)
    mean_square = jnp.square(x).mean(axis=-1, keepdims=True)
    return affine(x * jax.lax.rsqrt(mean_square + epsilon), scale, None).astype(dtype)


class RMSNorm(Block, kw_only=True):
    r"""RMS norm: each token's features scaled to unit root mean square, with a learned factor each.

    $$y = \frac{x}{\sqrt{\overline{x^2} + \epsilon}} \odot \gamma$$

    Attributes:
        epsilon: added to the mean square; Llama's default.
        use_scale: learn the factor $\gamma$.
        unit_offset: keep $\gamma - 1$ as the parameter instead of $\gamma$, as Gemma does: weight
            decay then pulls towards 1.
        dtype: dtype of the result; None keeps the input's. Statistics are float32 always.
        param_dtype: dtype of the parameters.
        scale_init: initialiser of the factor $\gamma$.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks import RMSNorm
        >>> RMSNorm(use_scale=False).apply({}, jnp.array([[2.0, 2.0]])).round(3)
        Array([[1., 1.]], dtype=float32)

        ```

    References:
        Zhang and Sennrich, Root Mean Square Layer Normalization, 2019, arXiv:1910.07467.
        Gemma Team, Gemma, 2024, arXiv:2403.08295 (unit offset, in its published code).
    """

    epsilon: float = 1e-6
    use_scale: bool = True
    unit_offset: bool = False
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
        """Normalise every token of `x`."""
        scale = None
        if self.use_scale:
            scale = self.param("scale", self._init, (x.shape[-1],), self.param_dtype)
            if self.unit_offset:
                scale = scale.astype(jnp.float32) + 1.0
        return rms_norm(x, scale, self.epsilon).astype(self.dtype or x.dtype)

    def _init(self, *arguments: Any) -> Array:
        factor = self.scale_init(*arguments)
        return factor - 1.0 if self.unit_offset else factor
