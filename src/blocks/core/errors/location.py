"""Where an error arose: the block that is running, and its path in the model."""

import contextvars
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import flax.linen as nn

from blocks.core.errors.tracebacks import refused, shorten

P = ParamSpec("P")
R = TypeVar("R")


class Running(NamedTuple):
    """The block whose method is running, and what it was called on."""

    module: nn.Module
    args: tuple[Any, ...]


running: contextvars.ContextVar[Running | None] = contextvars.ContextVar("running", default=None)


def where(module: nn.Module) -> str:
    """A block and its path in the model, as errors name it."""
    path = ".".join(module.path) if module.scope is not None else ""
    name = type(module).__name__
    return f"{name} at `{path}`" if path else name


def report(error: Exception, name: str, at: str | None = None, instead: str | None = None) -> None:
    """Says once where an error arose, and ends its traceback in the user's own line.

    What blocks refuse has it in front of its message; an error from elsewhere keeps its message,
    and a note says which block was running.

    Args:
        error: about to be raised again.
        name: of the class or the function that it passed through.
        at: the block that is running, if one is.
        instead: what to say instead of an error's own message.
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
    """Names a public function in what it refuses."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            report(error, function.__name__)
            raise

    return call


def here() -> str:
    """The block that is running, as the start of a message; empty outside of all blocks."""
    call = running.get()
    return "" if call is None else f"{where(call.module)}: "
