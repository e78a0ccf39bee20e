"""Checks of array values, beyond shapes: token ids in range, room in a cache.

Eager calls are checked at once. Under `jit`, where values are unknown and a check would cost a
transfer, checks run only inside `checked`.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.core import Tracer

from blocks.core.errors.location import Location, here

P = ParamSpec("P")
R = TypeVar("R")

_checking: contextvars.ContextVar[bool] = contextvars.ContextVar("checking", default=False)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` with value checks enabled, for debugging.

    Raises:
        ValueError: when the compiled function is called with values that a block refuses.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import TokenEmbedding, checked
        >>> embed = TokenEmbedding(vocab_size=3, features=2)
        >>> variables = embed.init(jax.random.key(0), jnp.array([[0, 1]]))
        >>> checked(embed.apply)(variables, jnp.array([[0, 7]]))
        Traceback (most recent call last):
        ...
        ValueError: ...

        ```
    """
    # Here, for they take long to import, and few programs are checked.
    import chex
    from jax.experimental import checkify

    def own(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    # A new function: JAX caches traces by function, and a trace made by `jax.jit(function)`
    # holds no checks, as one made here holds checks that `jax.jit(function)` could not compile.
    compiled = chex.chexify(jax.jit(own), async_check=False)

    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with _switched_on():
            try:
                return compiled(*args, **kwargs)
            except checkify.JaxRuntimeError as error:
                message = str(error)
        raise ValueError(message)

    return Location("")(wrapper)


@contextlib.contextmanager
def _switched_on() -> Iterator[None]:
    token = _checking.set(True)
    try:
        yield
    finally:
        _checking.reset(token)


def check_values(holds: jax.Array, message: str, **values: Any) -> None:
    """Refuse values for which `holds` is false; `{name}` in `message` shows a value.

    Raises:
        ValueError: at once in an eager call; under `jit` only inside `checked`.
    """
    if not isinstance(holds, Tracer):
        if not holds:
            raise ValueError(message.format(**values))
    elif _checking.get():
        from jax.experimental import checkify

        arrays: dict[str, Any] = {name: jnp.asarray(value) for name, value in values.items()}
        checkify.check(holds, here() + message, **arrays)


def first_false(holds: jax.Array) -> jax.Array | int:
    """Index of the first that does not hold, for a message; 0 where there are none, as no rows."""
    return jnp.argmin(holds) if holds.size else 0
