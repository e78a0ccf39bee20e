"""`WrapperResidual`, the base of layouts that change what sublayers return."""

from collections.abc import Mapping

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer
from blocks.residual.placement import PreNorm


class WrapperResidual(Residual, kw_only=True):
    """Base class for layouts that wrap sublayers, which another layout then runs.

    Attributes:
        residual: the layout that runs the wrapped sublayers.
    """

    residual: Residual = PreNorm()

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run the layout with wrapped sublayers."""
        embed = x.shape[-1] // self.streams
        wrapped = {
            name: self.wrap(name, sublayer, embed, deterministic)
            for name, sublayer in sublayers.items()
        }
        return self.residual(x, wrapped, norm, context, deterministic)

    def wrap(self, name: str, sublayer: Sublayer, embed: int, deterministic: bool) -> Sublayer:
        """Wrap one sublayer, whose outputs have `embed` features."""
        raise TypeError(f"{type(self).__name__} wraps nothing: give it a method `wrap`.")
