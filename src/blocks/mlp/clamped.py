"""`ClampedGatedMLP`: the gated MLP of gpt-oss, with clamped features."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp

from blocks.core.bounds import positive
from blocks.core.typing import Array
from blocks.mlp.activations import quick_gelu
from blocks.mlp.base import BaseMLP


class ClampedGatedMLP(BaseMLP, kw_only=True):
    r"""Clamped gated MLP, as in gpt-oss: outliers cannot overflow low precision.

    $$y = (\phi(g) \odot (u + 1))\, W_\text{down} + b_\text{down}, \qquad
    g = \min(x W_\text{gate} + b_\text{gate},\, c), \quad
    u = \mathrm{clip}(x W_\text{up} + b_\text{up},\, -c,\, c)$$

    Attributes:
        activation: the nonlinearity $\phi$ of the gate, a function or a block that learns one;
            gpt-oss uses $g\,\sigma(1.702\,g)$.
        limit: the bound $c$.

    Raises:
        ValueError: a size below 1, a bound that is not positive, or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import ClampedGatedMLP
        >>> mlp = ClampedGatedMLP(hidden=24)
        >>> sorted(mlp.init(jax.random.key(0), jnp.ones((2, 5, 8)))["params"])
        ['down', 'gate', 'up']

        ```

    References:
        OpenAI, gpt-oss-120b and gpt-oss-20b Model Card, 2025, arXiv:2508.10925.
    """

    activation: Callable[[Array], Array] = quick_gelu
    limit: Annotated[float, positive("; gpt-oss has 7")] = 7.0

    def hidden_features(self, x: Array) -> Array:
        """Multiply the clamped up projection, raised by one, by the activated clamped gate."""
        gate = jnp.minimum(self.project("gate", x), self.limit)
        up = jnp.clip(self.project("up", x), -self.limit, self.limit)
        return self.activate(gate) * (up + 1.0)
