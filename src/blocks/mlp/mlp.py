"""`MLP`: two projections with an activation between them."""

from collections.abc import Callable

from blocks.core.typing import Array
from blocks.mlp.activations import gelu
from blocks.mlp.base import BaseMLP


class MLP(BaseMLP, kw_only=True):
    r"""MLP with one hidden layer: an up projection, an activation, and a down projection.

    $$y = \phi(x W_\text{up} + b_\text{up})\, W_\text{down} + b_\text{down}$$

    Attributes:
        activation: the nonlinearity $\phi$, a function or a block that learns one; the exact GELU
            by default, as in PyTorch's GPT-2s.

    Raises:
        ValueError: a size below 1 or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP
        >>> mlp = MLP(hidden=32)
        >>> x = jnp.ones((2, 5, 8))
        >>> mlp.apply(mlp.init(jax.random.key(0), x), x).shape
        (2, 5, 8)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.3.
    """

    activation: Callable[[Array], Array] = gelu

    def hidden_features(self, x: Array) -> Array:
        """Project up and activate."""
        return self.activate(self.project("up", x))
