"""`Plain`: a wrapper for modules that are called with `x` alone."""

from typing import Annotated

import flax.linen as nn

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.slots import Called
from blocks.core.typing import Array, Float, typed


class Plain(Block, kw_only=True):
    """Wrapper that calls a module with `x` alone, for slots that pass more arguments.

    Attributes:
        block: any Linen module that can be called with `x`.

    Example:
        ```python
        >>> import flax.linen as nn
        >>> from blocks import MultiHeadAttention, Plain, TransformerBlock
        >>> mlp = Plain(block=nn.Dense(32))
        >>> block = TransformerBlock(attention=MultiHeadAttention(num_heads=4), mlp=mlp)

        ```
    """

    block: Annotated[nn.Module, Called("x")]

    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch features"]:
        """Apply the module to `x`."""
        return self.block(x)
