"""`StochasticDepth`: whole sublayers skipped at random in training."""

import flax.linen as nn

from blocks.core.bounds import Rate
from blocks.residual.layout import Sublayer
from blocks.residual.wrapper import WrapperResidual


class StochasticDepth(WrapperResidual, kw_only=True):
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

    rate: Rate

    @nn.compact
    def wrap(self, name: str, sublayer: Sublayer, embed: int, deterministic: bool) -> Sublayer:
        """Return zeros for a sequence at random."""
        drop = nn.Dropout(self.rate, broadcast_dims=(1, 2), name=f"{name}_dropout")
        return lambda h: drop(sublayer(h), deterministic)
