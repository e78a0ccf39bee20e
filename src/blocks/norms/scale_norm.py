"""`ScaleNorm`: each token scaled to one learned length."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from blocks.core.block import Block
from blocks.core.typing import Array, Dtype, Float, Initializer, typed


@typed
def scale_norm(
    x: Float[Array, "*batch embed"], length: Float[Array, ""], epsilon: float = 1e-5
) -> Float[Array, "*batch embed"]:
    r"""Scale each token to `length`: $g\,x / \max(\lVert x \rVert, \epsilon)$."""
    wide = x.astype(jnp.float32)
    square = jnp.square(wide).sum(axis=-1, keepdims=True)
    # The maximum of squares: the root alone has no gradient where a token is zero.
    factor = length.astype(jnp.float32) * jax.lax.rsqrt(jnp.maximum(square, epsilon**2))
    return (wide * factor).astype(x.dtype)


class ScaleNorm(Block, kw_only=True):
    r"""Scale norm: each token's features scaled to one learned length, the only parameter.

    $$y = g\,\frac{x}{\max(\lVert x \rVert, \epsilon)}$$

    Attributes:
        epsilon: lower bound on the length that is divided by.
        dtype: dtype of the result; None keeps the input's. The length is float32 always.
        param_dtype: dtype of the parameter.
        length_init: initialiser of the length $g$; None takes the root of the width, as the paper.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.norms import ScaleNorm
        >>> x = jnp.array([[3.0, 4.0]])
        >>> ScaleNorm().init(jax.random.key(0), x)["params"]
        {'length': Array(1.4142135, dtype=float32)}

        ```

    References:
        Nguyen and Salazar, Transformers without Tears, 2019, arXiv:1910.05895.
    """

    epsilon: float = 1e-5
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    length_init: Initializer | None = None

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
        """Normalise every token of `x`."""
        init = self.length_init or nn.initializers.constant(x.shape[-1] ** 0.5)
        length = self.param("length", init, (), self.param_dtype)
        return scale_norm(x, length, self.epsilon).astype(self.dtype or x.dtype)
