"""Stochastic depth: whole sublayers left out in training."""

from collections.abc import Mapping

import flax.linen as nn

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer
from blocks.residual.placement import PreNorm


class StochasticDepth(Residual, kw_only=True):
    r"""Leaves out a sublayer for a whole sequence in training, each with probability `rate`.

    What stays is divided by $1 - \mathrm{rate}$, so that the mean stays. The paper raises the rate
    from layer to layer: a pattern of blocks in `Stack` holds one for each.

    Attributes:
        residual: the layout that the sublayers stand in.
        rate: probability of leaving out.

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
        """Refuses a rate that cannot be."""
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
        """Runs the layout with sublayers that may give zeros for a sequence."""

        def dropped(sublayer: Sublayer) -> Sublayer:
            drop = nn.Dropout(self.rate, broadcast_dims=(1, 2))
            return lambda h: drop(sublayer(h), deterministic)

        kept = {name: dropped(sublayer) for name, sublayer in sublayers.items()}
        return self.residual(x, kept, norm, context, deterministic)
