"""Checks of the first argument of `apply` and `init`: variables, and random key."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.errors.location import report
from blocks.core.errors.words import is_array, misfit, shown
from blocks.core.typing import of_jax

P = ParamSpec("P")
R = TypeVar("R")


def starting(
    check: Callable[[str, Any, tuple[Any, ...]], None], method: Callable[P, R]
) -> Callable[P, R]:
    """Wrap a method of Linen's modules so that its first argument is checked.

    Args:
        check: called on the method's name, its first argument, and the arguments after it.
        method: the method.
    """

    @nn.nowrap
    @functools.wraps(method)
    def call(*args: P.args, **options: P.kwargs) -> R:
        module, *given = args
        try:
            if given:
                check(method.__name__, given[0], tuple(given[1:]))
                given[0] = jax.tree.map(of_jax, given[0])
            return method(module, *given, **options)  # pyright: ignore[reportCallIssue]
        except Exception as error:
            report(error, type(module).__name__)
            raise

    return call


def check_variables(method: str, variables: Any, args: tuple[Any, ...]) -> None:
    """Refuse a first argument of `method` that is not a dict of collections.

    Raises:
        TypeError: shows what was given, and what is expected first.
    """
    if isinstance(variables, Mapping):
        return
    fix = f"the variables come first, {method}(variables, ...)"
    if any(isinstance(arg, Mapping) and "params" in arg for arg in args):
        fix = f"they are swapped: {fix}"
    elif isinstance(variables, tuple) and any(isinstance(part, Mapping) for part in variables):
        fix = "init_with_output gives the result and the variables; pass the second"
    what = f"argument `variables` of {method} does not fit"
    raise TypeError(misfit(what, "the collections that init returned", shown(variables), fix))


def check_key(method: str, rngs: Any, args: tuple[Any, ...]) -> None:
    """Refuse a first argument of `method` that is not a random key.

    Raises:
        TypeError: shows what was given, and what is expected first.
    """
    if isinstance(rngs, Mapping) or _is_key(rngs):
        return
    fix = f"the key comes first, {method}(key, ...)"
    if any(_is_key(arg) for arg in args):
        fix = f"they are swapped: {fix}"
    elif isinstance(rngs, int):
        fix = f"make a key of it: jax.random.key({rngs})"
    what = f"argument `rngs` of {method} does not fit"
    raise TypeError(misfit(what, "a random key, or a dict of them by name", shown(rngs), fix))


def _is_key(value: Any) -> bool:
    """Return whether a value is a random key, typed or raw."""
    kinds = (jax.dtypes.prng_key, jnp.uint32)
    return is_array(value) and any(jnp.issubdtype(value.dtype, kind) for kind in kinds)
