"""What a block leaves behind where it is asked to, and at no cost where it is not."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax

from blocks.core.typing import Array

# Begins the name of a scope that says which share of a loop is needed.
SHARE = "share:"

_asked: contextvars.ContextVar[str | None] = contextvars.ContextVar("asked", default=None)


def asked(collection: str) -> bool:
    """Whether this call is asked for what goes into `collection`."""
    return _asked.get() == collection


@contextlib.contextmanager
def asking(collection: str) -> Iterator[None]:
    """Asks the calls inside for what goes into `collection`."""
    token = _asked.set(collection)
    try:
        yield
    finally:
        _asked.reset(token)


def leave(module: nn.Module, collection: str, make: Callable[[], Array]) -> None:
    """Leaves what `make` gives in a collection, at the module's path, where that is asked for.

    That a collection is mutable does not ask for it: all are, while a model is initialised.
    """
    if asked(collection):
        module.sow(collection, collection, make())


def share(needed: int, computed: int) -> contextlib.AbstractContextManager[Any]:
    """Says of the loop inside that it skips all but `needed` of `computed` rows when it runs.

    Which ones it skips is known to nobody before; that so many remain is.
    """
    return jax.named_scope(f"{SHARE}{needed} of {computed}")
