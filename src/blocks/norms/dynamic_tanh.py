"""`DynamicTanh`: an elementwise replacement of a norm."""

import jax.numpy as jnp
from flax import linen as nn

from blocks.core.block import Block
from blocks.core.initializers import Constant
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.norms.affine import affine


@typed
def dynamic_tanh(
    x: Float[Array, "*batch embed"],
    slope: Float[Array, ""],
    scale: Float[Array, "embed"],
    bias: Float[Array, "embed"],
) -> Float[Array, "*batch embed"]:
    """Compute the tanh in float32, scaled and shifted per feature."""
    return affine(jnp.tanh(slope.astype(jnp.float32) * x.astype(jnp.float32)), scale, bias)


class DynamicTanh(Block, kw_only=True):
    r"""Dynamic tanh: an elementwise replacement of a norm, without statistics.

    $$y = \tanh(\alpha x) \odot \gamma + \beta$$

    Attributes:
        dtype: dtype of the result; None keeps the input's. The tanh is float32.
        param_dtype: dtype of the parameters.
        slope_init: initialiser of the scalar $\alpha$; larger models train better from less than
            0.5.
        scale_init: initialiser of the factor $\gamma$.
        bias_init: initialiser of the shift $\beta$.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.norms import DynamicTanh
        >>> x = jnp.array([[0.0, 100.0]])
        >>> DynamicTanh().init_with_output(jax.random.key(0), x)[0]
        Array([[0., 1.]], dtype=float32)

        ```

    References:
        Zhu et al., Transformers without Normalization, 2025, arXiv:2503.10622.
    """

    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    slope_init: Initializer = Constant(0.5)
    scale_init: Initializer = nn.initializers.ones
    bias_init: Initializer = nn.initializers.zeros

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
        """Apply the tanh to every feature of `x`."""
        slope = self.param("slope", self.slope_init, (), self.param_dtype)
        scale = self.param("scale", self.scale_init, (x.shape[-1],), self.param_dtype)
        bias = self.param("bias", self.bias_init, (x.shape[-1],), self.param_dtype)
        return dynamic_tanh(x, slope, scale, bias).astype(self.dtype or x.dtype)
