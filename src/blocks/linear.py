"""`Linear`: the linear map that all projections use."""

import math

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.products import matrix_product
from blocks.core.typing import Array, Dtype, Float, Initializer, Key, typed


class Linear(Block, kw_only=True):
    r"""Linear map of the last axes of `x`: $y = x W + b$.

    `features=(heads, head_dim)` projects to heads, `axes=2` projects from them; the weights keep
    those axes, so `query/kernel` is always embed x heads x head_dim.

    Attributes:
        features: size of each axis of the result.
        axes: trailing axes of the input that the map consumes.
        use_bias: learn a bias $b$.
        dtype: dtype of the product; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of $W$, which is drawn as a matrix of inputs x outputs.
        bias_init: initialiser of $b$.

    Raises:
        ValueError: a size below 1, or an input without features.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Linear
        >>> x = jnp.ones((2, 5, 8))
        >>> Linear(features=(4, 2)).init_with_output(jax.random.key(0), x)[0].shape
        (2, 5, 4, 2)

        ```

    References:
        Glorot and Bengio, Understanding the Difficulty of Training Deep Networks, 2010 (scaling).
    """

    features: tuple[int, ...]
    axes: Size = 1
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    bias_init: Initializer = nn.initializers.zeros

    def check_fields(self) -> None:
        """Validate sizes."""
        if min(self.features, default=0) < 1:
            raise ValueError(f"features={self.features} must all be at least 1.")

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*inputs"]) -> Float[Array, "*outputs"]:
        """Map every position of the leading axes independently."""
        if x.ndim < self.axes or 0 in x.shape[-self.axes :]:
            raise ValueError(f"x of shape {x.shape} has no axes={self.axes} features to map.")
        leading, consumed = x.shape[: -self.axes], x.shape[-self.axes :]
        fan_in, fan_out = math.prod(consumed), math.prod(self.features)

        def draw(key: Key[Array, ""]) -> Array:
            kernel = self.kernel_init(key, (fan_in, fan_out), self.param_dtype)
            return kernel.reshape(*consumed, *self.features)

        kernel = self.param("kernel", draw)
        bias = None
        if self.use_bias:
            bias = self.param("bias", self.bias_init, self.features, self.param_dtype)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        # As one matrix product: with leading axes apart, the CPU compiler copies transposed
        # activations for the weights' gradient, which made an MLP's backward pass twice as slow.
        y = matrix_product(x.reshape(-1, fan_in), kernel.reshape(fan_in, fan_out))
        y = y if bias is None else y + bias.reshape(1, fan_out)
        return y.reshape(*leading, *self.features)
