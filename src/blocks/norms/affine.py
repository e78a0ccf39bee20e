"""The learned affine map that ends most norms."""

import jax.numpy as jnp

from blocks.core.typing import Array


def affine(x: Array, scale: Array | None, bias: Array | None) -> Array:
    """Multiply and shift the last axis, in float32."""

    # Leading axes are written out because the library runs under rank promotion "raise".
    def widen(vector: Array) -> Array:
        return vector.astype(jnp.float32).reshape((1,) * (x.ndim - 1) + (-1,))

    x = x if scale is None else x * widen(scale)
    return x if bias is None else x + widen(bias)
