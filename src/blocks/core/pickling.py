"""Compiled functions in fields, as `jax.nn.relu`, pickle by their name as plain ones do."""

import copyreg
import pickle
import sys
from typing import Any

import jax


def _by_name(function: Any) -> Any:
    """The name that finds a compiled function in its module, or what JAX makes of it."""
    name = function.__qualname__
    found = getattr(sys.modules.get(function.__module__), name, None) is function
    return name if found else function.__reduce_ex__(pickle.DEFAULT_PROTOCOL)


for _kind in (type(jax.jit(_by_name)), jax.custom_jvp, jax.custom_vjp):
    copyreg.pickle(_kind, _by_name)
