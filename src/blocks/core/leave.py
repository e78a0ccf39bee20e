"""Optional outputs of blocks in collections, which cost nothing unless a call asks for them."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax

from blocks.core.typing import Array

# Prefix of the name of a scope that tells which share of a loop is needed.
SHARE = "share:"

_asked: contextvars.ContextVar[str | None] = contextvars.ContextVar("asked", default=None)


def asked(collection: str) -> bool:
    """Return whether the caller has asked for `collection`."""
    return _asked.get() == collection


@contextlib.contextmanager
def asking(collection: str) -> Iterator[None]:
    """Ask the calls inside this context for `collection`."""
    token = _asked.set(collection)
    try:
        yield
    finally:
        _asked.reset(token)


def leave(module: nn.Module, collection: str, make: Callable[[], Array]) -> None:
    """Store the result of `make` in a collection, at the module's path, if it is asked for.

    Mutability of the collection is not enough: all are mutable while a model is initialised.
    """
    if asked(collection):
        module.sow(collection, collection, make())


def share(needed: int, computed: int) -> contextlib.AbstractContextManager[Any]:
    """Declare that the loop inside computes only `needed` of its `computed` rows at run time.

    Their number is static, but which rows they are is known only at run time.
    """
    return jax.named_scope(f"{SHARE}{needed} of {computed}")
