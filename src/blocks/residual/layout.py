"""`Residual`, the base of residual layouts."""

from collections.abc import Callable, Mapping
from typing import Annotated, TypeAlias

import flax.linen as nn
from beartype.vale import IsInstance

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.typing import Array, Float

Sublayer: TypeAlias = Callable[[Array], Array]
# A module is callable too, but it is a norm and does not make one.
NamedNorm: TypeAlias = Annotated[Callable[[str], Callable[..., Array]], ~IsInstance[nn.Module]]


class Residual(Block, kw_only=True):
    """Base class for residual layouts: rules that run sublayers on `x`, with norms as needed.

    A layout with another one in its field `residual` has as many streams as that one.
    """

    @property
    def streams(self) -> int:
        """Number of streams side by side in the width of `x`; sublayers receive one width."""
        inner = getattr(self, "residual", None)
        return inner.streams if isinstance(inner, Residual) else 1

    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run `sublayers` in order; `norm(name)` creates a norm of that name in the block."""
        raise TypeError(f"{type(self).__name__} is no layout: give it a `__call__`.")
