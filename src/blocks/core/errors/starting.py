"""Checks of the first argument of `apply` and `init`: variables, and random key."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.errors.location import Location
from blocks.core.errors.words import is_array, misfit, shown
from blocks.core.typing import of_jax

P = ParamSpec("P")
R = TypeVar("R")


def starting(method: Callable[P, R]) -> Callable[P, R]:
    """Wrap a method of Linen's modules so that its first argument is checked."""

    @nn.nowrap
    @functools.wraps(method)
    def call(*args: P.args, **options: P.kwargs) -> R:
        module, *given = args
        with Location(type(module).__name__):
            if given:
                _check_first(method.__name__, given[0])
                given[0] = jax.tree.map(of_jax, given[0])
            return method(module, *given, **options)  # pyright: ignore[reportCallIssue]

    return call


def _check_first(method: str, first: Any) -> None:
    """Refuse what are no variables, or for `init` no random key.

    Raises:
        TypeError: shows what was given, and what is expected first.
    """
    if isinstance(first, Mapping):
        return
    if method == "apply":
        name, expected = "variables", "the collections that init returned, as {'params': ...}"
        fix = "the variables come first, apply(variables, ...)"
    else:
        name, expected = "rngs", "a random key, or a dict of them by name"
        fix = f"the key comes first, {method}(jax.random.key(0), ...)"
        kinds = (jax.dtypes.prng_key, jnp.uint32)  # typed or raw
        if is_array(first) and any(jnp.issubdtype(first.dtype, kind) for kind in kinds):
            return
    what = f"argument `{name}` of {method} does not fit"
    raise TypeError(misfit(what, expected, shown(first), fix))
