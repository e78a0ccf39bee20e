"""What a residual layout is."""

from collections.abc import Callable, Mapping
from typing import Annotated, TypeAlias

import flax.linen as nn
from beartype.vale import IsInstance

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.typing import Array, Float

Sublayer: TypeAlias = Callable[[Array], Array]
# A module can be called too, but it is a norm, and makes none.
NamedNorm: TypeAlias = Annotated[Callable[[str], Callable[..., Array]], ~IsInstance[nn.Module]]


class Residual(Block, kw_only=True):
    """What a layout is: a rule that runs sublayers on `x`, with as many norms as it needs.

    One that holds another in its field `residual` carries as many streams as that one.
    """

    @property
    def streams(self) -> int:
        """Streams that `x` holds side by side in its width; sublayers see the width of one."""
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
        """Runs `sublayers` in order; `norm(name)` makes a norm of that name in the block."""
        raise TypeError(f"{type(self).__name__} is no layout: give it a `__call__`.")
