"""`XIELU`: an activation with two learned slopes."""

import math
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.block import Block
from blocks.core.bounds import positive
from blocks.core.initializers import Constant
from blocks.core.typing import Array, Dtype, Float, Initializer, typed

_POSITIVE, _NEGATIVE = (Constant(math.log(math.expm1(slope))) for slope in (0.8, 0.3))


@typed
def xielu(
    x: Float[Array, "*batch hidden"],
    positive: Float[Array, ""],
    negative: Float[Array, ""],
    beta: float = 0.5,
) -> Float[Array, "*batch hidden"]:
    r"""Compute $\alpha_p x_+^2 + \alpha_n (e^{x_-} - 1 - x_-) + \beta x$ in float32.

    $x_+$ and $x_-$ are the positive and the negative part of $x$.
    """
    x = x.astype(jnp.float32)
    above, below = jnp.maximum(x, 0.0), jnp.minimum(x, 0.0)
    return positive * jnp.square(above) + negative * (jnp.expm1(below) - below) + beta * x


class XIELU(Block, kw_only=True):
    r"""xIELU: quadratic above zero and linear far below it, with a learned factor on each side.

    $$\phi(x) = \beta x + \begin{cases} \alpha_p\, x^2 & x > 0 \\
    \alpha_n\, (e^x - 1 - x) & x \le 0 \end{cases}, \qquad
    \alpha_p = \mathrm{softplus}(a_p),\; \alpha_n = \beta + \mathrm{softplus}(a_n)$$

    It is the integral of an ELU with factors on both sides. It goes into the slot `activation` of
    an MLP, whose layers each learn their own two numbers.

    Attributes:
        beta: slope $\beta$ at zero.
        dtype: dtype of the result; None keeps the input's. It is computed in float32.
        param_dtype: dtype of the parameters.
        positive_init: initialiser of $a_p$; at first $\alpha_p = 0.8$.
        negative_init: initialiser of $a_n$; at first $\alpha_n = 0.8$ with $\beta = 0.5$.

    Raises:
        ValueError: a slope that is not positive.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP
        >>> from blocks.mlp import XIELU
        >>> mlp = MLP(hidden=32, activation=XIELU(), use_bias=False)
        >>> params = mlp.init(jax.random.key(0), jnp.ones((2, 5, 8)))["params"]
        >>> sorted(params["activation"])
        ['negative', 'positive']

        ```

    References:
        Huang, Deriving Activation Functions Using Integration, 2024, arXiv:2411.13010.
        Apertus Project, Apertus, 2025, arXiv:2509.14233.
    """

    beta: Annotated[float, positive("; the paper has 0.5")] = 0.5
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    positive_init: Initializer = _POSITIVE
    negative_init: Initializer = _NEGATIVE

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "*batch hidden"]) -> Float[Array, "*batch hidden"]:
        """Activate every feature of `x`."""
        positive = self.param("positive", self.positive_init, (), self.param_dtype)
        negative = self.param("negative", self.negative_init, (), self.param_dtype)
        above = jax.nn.softplus(positive.astype(jnp.float32))
        below = self.beta + jax.nn.softplus(negative.astype(jnp.float32))
        return xielu(x, above, below, self.beta).astype(self.dtype or x.dtype)
