"""`PooledHead`: one vector for a whole sequence, to compare it with others."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import at_least
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.heads.pooling import MeanPool, Pooler
from blocks.linear import Linear


class PooledHead(Block, kw_only=True):
    r"""Head of one vector for a sequence, text or image: $y = \mathrm{pool}(x)\,[W + b]$.

    Attributes:
        pool: pooler of the sequence into one vector.
        features: width of the vector, by a learned map $W$; None leaves it out.
        use_bias: learn the bias $b$ of the map.
        normalize: divide the vector by its length, so that a product of two is their cosine.
        dtype: dtype of the product; None infers it.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of $W$.

    Raises:
        ValueError: fewer than one feature.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.heads import PooledHead
        >>> head = PooledHead(normalize=True)
        >>> head.init_with_output(jax.random.key(0), jnp.ones((2, 5, 4)))[0].tolist()
        [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]

        ```

    References:
        Reimers and Gurevych, Sentence-BERT, 2019, arXiv:1908.10084.
        Radford et al., CLIP, 2021, arXiv:2103.00020.
    """

    pool: Pooler = MeanPool()
    features: Annotated[int, at_least(1, ", or None")] | None = None
    use_bias: bool = False
    normalize: bool = False
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch features"]:
        """Compute the vector of every sequence, without its padding."""
        y = self.pool(x, context)
        if self.features is not None:
            y = Linear(
                features=(self.features,),
                use_bias=self.use_bias,
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                kernel_init=self.kernel_init,
                name="projection",
            )(y)
        return unit(y) if self.normalize else y


def unit(y: Float[Array, "... features"]) -> Float[Array, "... features"]:
    """Divide vectors by their lengths, in float32; a vector of zeros stays."""
    wide = y.astype(jnp.float32)
    length = jnp.linalg.norm(wide, axis=-1, keepdims=True)
    return (wide / jnp.maximum(length, 1e-12)).astype(y.dtype)
