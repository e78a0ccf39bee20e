"""Norms: functions of one token's features that keep activations in range."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from blocks.base import Block
from blocks.typing import Array, Dtype, Float, Initializer, typed


@typed
def layer_norm(
    x: Float[Array, "*batch embed"],
    scale: Float[Array, "embed"] | None = None,
    bias: Float[Array, "embed"] | None = None,
    epsilon: float = 1e-5,
) -> Float[Array, "*batch embed"]:
    r"""Centres and scales each token: $(x - \bar x) / \sqrt{\mathrm{var}(x) + \epsilon}$."""
    dtype = x.dtype
    x = x.astype(jnp.float32)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = jnp.square(centred).mean(axis=-1, keepdims=True)
    return _affine(centred * jax.lax.rsqrt(variance + epsilon), scale, bias).astype(dtype)


@typed
def rms_norm(
    x: Float[Array, "*batch embed"],
    scale: Float[Array, "embed"] | None = None,
    epsilon: float = 1e-6,
) -> Float[Array, "*batch embed"]:
    r"""Scales each token to unit root mean square: $x / \sqrt{\overline{x^2} + \epsilon}$."""
    dtype = x.dtype
    x = x.astype(jnp.float32)
    mean_square = jnp.square(x).mean(axis=-1, keepdims=True)
    return _affine(x * jax.lax.rsqrt(mean_square + epsilon), scale, None).astype(dtype)


def _affine(x: Array, scale: Array | None, bias: Array | None) -> Array:
    # Leading axes are written out because the library runs under rank promotion "raise".
    def widen(vector: Array) -> Array:
        return vector.astype(jnp.float32).reshape((1,) * (x.ndim - 1) + (-1,))

    x = x if scale is None else x * widen(scale)
    return x if bias is None else x + widen(bias)


class LayerNorm(Block, kw_only=True):
    r"""Centres each token's features, scales them to unit variance, then learns an affine map.

    $$y = \frac{x - \bar x}{\sqrt{\mathrm{var}(x) + \epsilon}} \odot \gamma + \beta$$

    Attributes:
        epsilon: added to the variance; PyTorch's and GPT-2's default.
        use_scale: learn the factor $\gamma$.
        use_bias: learn the shift $\beta$.
        dtype: of the result; None keeps the input's. Statistics are float32 always.
        param_dtype: of the parameters.

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
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    scale_init: Initializer = nn.initializers.ones
    bias_init: Initializer = nn.initializers.zeros

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
        """Normalises every token of `x`."""
        scale = bias = None
        if self.use_scale:
            scale = self.param("scale", self.scale_init, (x.shape[-1],), self.param_dtype)
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (x.shape[-1],), self.param_dtype)
        return layer_norm(x, scale, bias, self.epsilon).astype(self.dtype or x.dtype)


class RMSNorm(Block, kw_only=True):
    r"""Scales each token's features to unit root mean square, then learns a factor for each.

    $$y = \frac{x}{\sqrt{\overline{x^2} + \epsilon}} \odot \gamma$$

    Attributes:
        epsilon: added to the mean square; Llama's default.
        use_scale: learn the factor $\gamma$.
        dtype: of the result; None keeps the input's. Statistics are float32 always.
        param_dtype: of the parameters.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks import RMSNorm
        >>> RMSNorm(use_scale=False).apply({}, jnp.array([[2.0, 2.0]])).round(3)
        Array([[1., 1.]], dtype=float32)

        ```

    References:
        Zhang and Sennrich, Root Mean Square Layer Normalization, 2019, arXiv:1910.07467.
    """

    epsilon: float = 1e-6
    use_scale: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
        """Normalises every token of `x`."""
        scale = None
        if self.use_scale:
            scale = self.param("scale", self.scale_init, (x.shape[-1],), self.param_dtype)
        return rms_norm(x, scale, self.epsilon).astype(self.dtype or x.dtype)
