"""Convolution over time, as a pure function."""

import jax

from blocks.core.typing import Array, Float, typed


@typed
def convolve(
    x: Float[Array, "batch seq channels"],
    kernel: Float[Array, "width group_channels features"],
    *,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Float[Array, "batch out_seq features"]:
    """Apply filters to a signal, from left to right, in groups of channels."""
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride,),
        (padding,),
        dimension_numbers=("NWC", "WIO", "NWC"),
        feature_group_count=groups,
    )
