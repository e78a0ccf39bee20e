"""Inputs and parameters drawn by numpy, and calls compiled whole: for tests that compile little.

To draw one array by JAX compiles a program of its own for each shape, and a call outside of `jit`
compiles one for each operation.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from blocks.core.parameters import parameter_shapes


def normal(seed: int, shape: tuple[int, ...]) -> jax.Array:
    """Normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def drawn_variables(model: nn.Module, *inputs: Any, seed: int = 0) -> dict[str, Any]:
    """Variables of a model, with every bias and scale away from its trivial start.

    Matrices are as large as most initialisers make them; a scale stands around one, a bias around
    zero. For what a model starts with, ask `init`.
    """
    draw = np.random.default_rng(seed)

    def leaf(path: Any, shape: jax.ShapeDtypeStruct) -> jax.Array:
        last = jax.tree_util.keystr(path[-1:])
        fan = max(1, int(np.prod(shape.shape[:-1])))
        size, centre = (fan**-0.5, 0.0) if shape.ndim > 1 else (0.3, float("scale" in last))
        return jnp.asarray(centre + size * draw.normal(size=shape.shape), shape.dtype)

    return {"params": jax.tree_util.tree_map_with_path(leaf, parameter_shapes(model, *inputs))}


def jitted(
    model: nn.Module, variables: Any, *inputs: Any, mutable: Any = False, rngs: Any = None
) -> Any:
    """What `model.apply` gives, in one compiled program for each kind of call."""
    known = tuple(value if isinstance(value, bool | str) else None for value in inputs)
    arrays = tuple(None if isinstance(value, bool | str) else value for value in inputs)
    kept = tuple(mutable) if isinstance(mutable, list) else mutable
    return _jitted(model, variables, arrays, known, kept, rngs)


@functools.partial(jax.jit, static_argnames=("model", "known", "mutable"))
def _jitted(
    model: nn.Module, variables: Any, arrays: Any, known: Any, mutable: Any, rngs: Any
) -> Any:
    inputs = [array if value is None else value for array, value in zip(arrays, known, strict=True)]
    kept = list(mutable) if isinstance(mutable, tuple) else mutable
    return model.apply(variables, *inputs, mutable=kept, rngs=rngs)
