"""`GatedMLP`: SwiGLU, GeGLU and the other gated linear units."""

from collections.abc import Callable

import flax.linen as nn

from blocks.core.typing import Array
from blocks.mlp.base import BaseMLP


class GatedMLP(BaseMLP, kw_only=True):
    r"""Gated MLP: hidden features are gated by a second projection, as in SwiGLU.

    $$y = (\phi(x W_\text{gate}) \odot x W_\text{up})\, W_\text{down}$$

    With SiLU it is SwiGLU, with GELU GeGLU, with a sigmoid the original GLU.

    Attributes:
        hidden: number of hidden features; 8/3 of the width matches a plain MLP's size.
        activation: the nonlinearity $\phi$ of the gate, a function or a block that learns one.
        use_bias: learn biases in all three projections; the paper uses none.

    Raises:
        ValueError: a size below 1 or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedMLP
        >>> mlp = GatedMLP(hidden=24)
        >>> x = jnp.ones((2, 5, 8))
        >>> sorted(mlp.init(jax.random.key(0), x)["params"])
        ['down', 'gate', 'up']

        ```

    References:
        Shazeer, GLU Variants Improve Transformer, 2020, arXiv:2002.05202.
    """

    activation: Callable[[Array], Array] = nn.silu
    use_bias: bool = False

    def hidden_features(self, x: Array) -> Array:
        """Multiply the up projection by the activated gate."""
        return self.activate(self.project("gate", x)) * self.project("up", x)
