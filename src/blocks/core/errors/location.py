"""Location of errors: the running block, and its path in the model."""

import contextvars
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import flax.linen as nn

from blocks.core.errors.tracebacks import refused, shorten

P = ParamSpec("P")
R = TypeVar("R")


class Running(NamedTuple):
    """The running block, and the arguments of the call."""

    module: nn.Module
    args: tuple[Any, ...]


running: contextvars.ContextVar[Running | None] = contextvars.ContextVar("running", default=None)


def where(module: nn.Module) -> str:
    """Format a block and its path in the model for an error."""
    path = ".".join(module.path) if module.scope is not None else ""
    name = type(module).__name__
    return f"{name} at `{path}`" if path else name


def report(error: Exception, name: str, at: str | None = None, instead: str | None = None) -> None:
    """Add the location to an error once, and end its traceback in the user's own line.

    Errors raised by blocks get the location as a prefix of their message; other errors keep their
    message and get a note that names the running block.

    Args:
        error: the error, which is about to be raised again.
        name: name of the class or function that it passed through.
        at: the running block, if there is one.
        instead: replacement of the error's own message.
    """
    told = vars(error)
    ours = instead is not None or refused(error)
    if "_refused" not in told and (at is not None or ours):
        told["_refused"] = ours
        if ours:
            text, start = instead or str(error), f"{name if at is None else at}:"
            error.args = (
                text if text.startswith((start, f"{start[:-1]} ")) else f"{start} {text}",
            )
        else:
            error.add_note(f"This happened in {at}.")
    if told.get("_refused"):
        shorten(error)


def reported(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function so that its errors name it."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            report(error, function.__name__)
            raise

    return call


def here() -> str:
    """The running block as the prefix of a message; empty outside of blocks."""
    call = running.get()
    return "" if call is None else f"{where(call.module)}: "
