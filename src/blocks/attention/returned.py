"""Checks of what a part of attention, or a kernel, returned."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blocks.core.errors.words import shown
from blocks.core.typing import Array


def floating(new: Any, part: Any, expected: str) -> Array:
    """Check that a part returned a floating point array, and return it.

    Booleans and whole numbers are refused: as a mask returned for scores, they would be taken for
    numbers in silence.

    Raises:
        TypeError: anything else, with what was `expected`.
    """
    array = isinstance(new, (jax.Array, np.ndarray))
    if array and jnp.issubdtype(new.dtype, jnp.floating):
        return jnp.asarray(new)
    raise TypeError(
        f"{getattr(part, '__name__', part)} returned {shown(new)}; return a floating point array: "
        f"{expected}."
    )


def alike(new: Any, old: Array, part: Any, axes: str) -> Array:
    """Check what a part returned for `old`, and cast it to the dtype of the computation.

    Raises:
        TypeError: no floating point array.
        ValueError: another shape than the part was given.
    """
    new = floating(new, part, f"{axes}, {old.shape} here")
    if new.shape != old.shape:
        raise ValueError(
            f"{part} returned shape {new.shape} for {old.shape}; return the shape it was given: "
            f"{axes}."
        )
    return new.astype(old.dtype)
