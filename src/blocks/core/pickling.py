"""Pickle compiled functions such as `jax.nn.relu` by name, as plain functions are."""

import copyreg
import pickle
import sys
from typing import Any

import jax


def _by_name(function: Any) -> Any:
    """Reduce a compiled function to its name in its module, or as JAX does by default."""
    name = function.__qualname__
    found = getattr(sys.modules.get(function.__module__), name, None) is function
    return name if found else function.__reduce_ex__(pickle.DEFAULT_PROTOCOL)


for _kind in (type(jax.jit(_by_name)), jax.custom_jvp, jax.custom_vjp):
    copyreg.pickle(_kind, _by_name)
