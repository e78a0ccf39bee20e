"""`LayerNorm`: each token centred and scaled to unit variance."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from blocks.core.block import Block
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.norms.affine import affine


@typed
def layer_norm(
    x: Float[Array, "*batch embed"],
    scale: Float[Array, "embed"] | None = None,
    bias: Float[Array, "embed"] | None = None,
    epsilon: float = 1e-5,
) -> Float[Array, "*batch embed"]:
    r"""Centre and scale each token: $(x - \bar x) / \sqrt{\mathrm{var}(x) + \epsilon}$."""
    dtype = x.dtype
    x = x.astype(jnp.float32)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = jnp.square(centred).mean(axis=-1, keepdims=True)
    return affine(centred * jax.lax.rsqrt(variance + epsilon), scale, bias).astype(dtype)


class LayerNorm(Block, kw_only=True):
    r"""Layer norm: each token's features centred and scaled to unit variance, with an affine map.

    $$y = \frac{x - \bar x}{\sqrt{\mathrm{var}(x) + \epsilon}} \odot \gamma + \beta$$

    Attributes:
        epsilon: added to the variance; PyTorch's and GPT-2's default.
        use_scale: learn the factor $\gamma$.
        use_bias: learn the shift $\beta$.
        unit_offset: keep $\gamma - 1$ as the parameter instead of $\gamma$, as Nemotron does.
        dtype: dtype of the result; None keeps the input's. Statistics are float32 always.
        param_dtype: dtype of the parameters.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LayerNorm
        >>> x = jnp.array([[1.0, 2.0, 3.0]])
        >>> LayerNorm(use_scale=False, use_bias=False).apply({}, x).round(3)
        Array([[-1.225,  0.   ,  1.225]], dtype=float32)

        ```

    References:
        Ba et al., Layer Normalization, 2016, arXiv:1607.06450.
    """

    epsilon: float = 1e-5
    use_scale: bool = True
    use_bias: bool = True
    unit_offset: bool = False
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    scale_init: Initializer = nn.initializers.ones
    bias_init: Initializer = nn.initializers.zeros

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
        """Normalise every token of `x`."""
        scale = bias = None
        if self.use_scale:
            scale = self.param("scale", self._init, (x.shape[-1],), self.param_dtype)
            if self.unit_offset:
                scale = scale.astype(jnp.float32) + 1.0
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (x.shape[-1],), self.param_dtype)
        return layer_norm(x, scale, bias, self.epsilon).astype(self.dtype or x.dtype)

    def _init(self, *arguments: Any) -> Array:
        factor = self.scale_init(*arguments)
        return factor - 1.0 if self.unit_offset else factor
