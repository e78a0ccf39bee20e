"""`ScaledResidual`: a layout that multiplies what sublayers add by a constant."""

from typing import Annotated

from blocks.core.bounds import positive
from blocks.residual.layout import Sublayer
from blocks.residual.wrapper import WrapperResidual


class ScaledResidual(WrapperResidual, kw_only=True):
    r"""Scaled residual: a constant factor on each sublayer's output, $x \leftarrow x + s\,f(x)$.

    MiniCPM takes $s = 1.4 / \sqrt{N}$ for $N$ layers, so that learning rates found for a shallow
    model fit a deep one; Granite calls it the residual multiplier. A norm that the layout applies
    to a sublayer's output comes after the factor and cancels it.

    Attributes:
        residual: the layout that runs the scaled sublayers.
        scale: the factor $s$.

    Raises:
        ValueError: a factor that is not positive.

    Example:
        ```python
        >>> from blocks.residual import ScaledResidual
        >>> ScaledResidual(scale=0.22)
        ScaledResidual(scale=0.22)

        ```

    References:
        Hu et al., MiniCPM, 2024, arXiv:2404.06395, section 3.
        Yang et al., Tensor Programs VI, 2023, arXiv:2310.02244 (the factor for depth).
    """

    scale: Annotated[float, positive("; Granite has 0.22")]

    def wrap(self, name: str, sublayer: Sublayer, embed: int, deterministic: bool) -> Sublayer:
        """Scale the output."""
        return lambda h: sublayer(h) * self.scale
