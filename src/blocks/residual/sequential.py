"""`SequentialResidual`, the base of layouts that run one sublayer after the other."""

from collections.abc import Mapping

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer


class SequentialResidual(Residual, kw_only=True):
    """Base class for layouts that run one sublayer after the other, all in the same way."""

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run every sublayer on the result of the one before."""
        for name, sublayer in sublayers.items():
            x = self.step(x, name, sublayer, norm)
        return x

    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run one sublayer, and add its output to the residual stream."""
        raise TypeError(f"{type(self).__name__} is no layout: give it a `step`.")
