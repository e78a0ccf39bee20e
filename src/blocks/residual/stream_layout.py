"""`StreamResidual`, the base of layouts with several streams, side by side in the width."""

from collections.abc import Callable

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import Residual


class StreamResidual(Residual, kw_only=True):
    """Base class for layouts with several streams, reduced by `Streams` after the last layer."""

    normalizes = False  # whether `reduce` takes a norm

    def reduce(
        self, streams: Float[Array, "batch seq streams embed"], norm: Callable[[Array], Array]
    ) -> Float[Array, "batch seq embed"]:
        """Reduce all streams to one."""
        raise TypeError(f"{type(self).__name__} leaves no result: give it a method `reduce`.")

    def _unfold(self, x: Array, context: Context | None) -> Array:
        """Split the streams in `x`, after checking that `Streams` put as many into it."""
        carried = 1 if context is None else context.streams
        if carried != self.streams:
            raise ValueError(
                f"{self!r} carries {self.streams} streams from layer to layer, and the call has "
                f"{carried}; put the layers into Streams(stack=...)."
            )
        if x.shape[-1] % carried:
            raise ValueError(
                f"width={x.shape[-1]} of `x` does not hold {carried} streams side by side; leave "
                "them to Streams(stack=...), which makes them."
            )
        return unfold(x, self.streams)


@typed
def unfold(
    x: Float[Array, "batch seq width"], streams: int
) -> Float[Array, "batch seq {streams} embed"]:
    """Split the width into streams."""
    batch, seq, width = x.shape
    return x.reshape(batch, seq, streams, width // streams)


@typed
def fold(streams: Float[Array, "batch seq streams embed"]) -> Float[Array, "batch seq width"]:
    """Merge streams into the width, side by side."""
    batch, seq, count, embed = streams.shape
    return streams.reshape(batch, seq, count * embed)
