"""`Streams`: layers with several residual streams, between a single input and output."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.carry import AndCarry, join_carry, split_carry
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.slots import Mixer, Norm
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import Residual
from blocks.residual.stream_layout import StreamResidual, unfold


class Streams(Block, kw_only=True):
    r"""Wrapper of layers with several residual streams: repeats the input, and reduces the streams.

    $$y = \mathrm{reduce}(\mathrm{stack}([x, \ldots, x]))$$

    Their number and reduction are defined by the layout: `HyperConnections` sums them, `ResiDual`
    adds one to the norm of the other. Between layers they are side by side in the width; attention
    and MLP receive the width of one.

    Attributes:
        stack: the layers, all with the same layout of several streams.
        norm: norm of the sum in `ResiDual`; None for layouts that need none.

    Raises:
        ValueError: layers with a single stream, layers that differ, or a norm that is missing or
            not needed.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, MultiHeadAttention, Stack
        >>> from blocks.residual import HyperConnections, Streams
        >>> from blocks import TransformerBlock
        >>> layer = TransformerBlock(
        ...     attention=MultiHeadAttention(num_heads=2),
        ...     mlp=MLP(hidden=8),
        ...     residual=HyperConnections(num_streams=4),
        ... )
        >>> layers = Streams(stack=Stack(block=layer, depth=6))
        >>> x = jnp.ones((1, 3, 8))
        >>> jax.jit(layers.init_with_output)(jax.random.key(0), x)[0].shape
        (1, 3, 8)

        ```

    References:
        Zhu et al., Hyper-Connections, 2024, arXiv:2409.19606.
        Xie et al., ResiDual, 2023, arXiv:2304.14802.
    """

    stack: Mixer
    norm: Norm | None = None

    def check_fields(self) -> None:
        """Validate that all layers have the same streams, and that there is a norm if needed."""
        if find(self.stack, Streams):
            raise ValueError(
                "stack holds a Streams already, which would carry streams of streams; leave one of "
                "the two out."
            )
        layouts = find(self.stack, Residual)
        carrying = find(self.stack, StreamResidual)
        if not carrying:
            raise ValueError(
                "no layer of stack carries more than one stream; give its blocks a "
                "residual=HyperConnections(...), or leave Streams out."
            )
        path, layout = next(iter(carrying.items()))
        for other, found in {**layouts, **carrying}.items():
            alike = not isinstance(found, StreamResidual) or type(found) is type(layout)
            if found.streams != layout.streams or not alike:
                raise ValueError(
                    f"stack.{path}={layout!r} and stack.{other}={found!r} differ in the streams "
                    f"that they carry, {layout.streams} and {found.streams}; use one for all."
                )
        if layout.normalizes and self.norm is None:
            raise ValueError(
                f"norm=None leaves no norm for the sum of {layout!r}; give one, as "
                "norm=LayerNorm()."
            )
        if self.norm is not None and not layout.normalizes:
            raise ValueError(
                f"norm={self.norm!r} is not used by {layout!r}; leave it out, and give the model "
                "its last norm."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> AndCarry[Float[Array, "batch seq embed"]]:
        """Run the layers on streams that all start as `x`."""
        layout = next(iter(find(self.stack, StreamResidual).values()))
        given, context = context, Context() if context is None else context
        context = context.replace(streams=layout.streams)
        if context.x0 is not None:
            context = context.replace(x0=_repeat(context.x0, layout.streams))
        result = self.stack(_repeat(x, layout.streams), context, deterministic)
        x, after = split_carry(result, context)
        y = layout.reduce(unfold(x, layout.streams), self.norm or (lambda total: total))
        return join_carry(y, after, given)


def _repeat(x: Array, streams: int) -> Array:
    return jnp.tile(x, (1, 1, streams))
