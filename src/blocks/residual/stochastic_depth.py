"""`StochasticDepth`: whole sublayers skipped at random in training."""

from collections.abc import Mapping

import flax.linen as nn

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer
from blocks.residual.placement import PreNorm


class StochasticDepth(Residual, kw_only=True):
    r"""Stochastic depth: in training, a sublayer is skipped for a sequence with probability `rate`.

    Other outputs are divided by $1 - \mathrm{rate}$, which preserves the mean. The paper raises the
    rate from layer to layer: use a tuple of all layers as the block of a `Stack`.

    Attributes:
        residual: the layout that runs the sublayers.
        rate: probability of skipping.

    Raises:
        ValueError: a rate outside [0, 1).

    Example:
        ```python
        >>> from blocks.residual import StochasticDepth
        >>> StochasticDepth(rate=0.1)
        StochasticDepth(rate=0.1)

        ```

    References:
        Huang et al., Deep Networks with Stochastic Depth, 2016, arXiv:1603.09382.
    """

    residual: Residual = PreNorm()
    rate: float

    def check_fields(self) -> None:
        """Validate the rate."""
        if not 0.0 <= self.rate < 1.0:
            raise ValueError(f"rate={self.rate} must be at least 0 and below 1.")

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run the layout with sublayers that may return zeros for a sequence."""

        def dropped(sublayer: Sublayer) -> Sublayer:
            drop = nn.Dropout(self.rate, broadcast_dims=(1, 2))
            return lambda h: drop(sublayer(h), deterministic)

        kept = {name: dropped(sublayer) for name, sublayer in sublayers.items()}
        return self.residual(x, kept, norm, context, deterministic)
