"""Where an error arose: the running block, its path in the model, and the user's own line."""

import contextlib
import contextvars
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, TypeVar

import flax.linen as nn
import jax

F = TypeVar("F", bound=Callable[..., Any])

_HERE = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
# Their frames are left out of tracebacks.
_LIBRARIES = ("chex", "flax", "jax")


running: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("running", default=())
"""The running block, and the arguments of the call; empty outside of blocks."""


def where(module: nn.Module) -> str:
    """Format a block and its path in the model for an error."""
    path = ".".join(module.path) if module.scope is not None else ""
    name = type(module).__name__
    return f"{name} at `{path}`" if path else name


def here() -> str:
    """The running block as the prefix of a message; empty outside of blocks."""
    module = running.get()[:1]
    return f"{where(*module)}: " if module else ""


class Location(contextlib.AbstractContextManager, contextlib.ContextDecorator):
    """Context that names the place in an error, and ends its traceback in the user's own line.

    The innermost place is named. It becomes the prefix of messages of this library; other errors
    keep message and frames, and get a note. `JAX_TRACEBACK_FILTERING=off` keeps all frames.

    Attributes:
        name: the block, class or function; empty to name none.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Name the place in an error that leaves the context."""
        if not isinstance(error, Exception):
            return
        told, frames = vars(error), list(traceback.walk_tb(error.__traceback__))
        ours = frames[-1][0].f_code.co_filename.startswith(_HERE)
        if self.name and "_refused" not in told:
            told["_refused"] = ours and type(error) in (TypeError, ValueError)
            if told["_refused"]:
                named = str(error).startswith((f"{self.name}:", f"{self.name} "))
                error.args = error.args if named else (f"{self.name}: {error}",)
            elif running.get():
                error.add_note(f"This happened in {self.name}.")
        if told.get("_refused", ours):
            _shorten(error, frames)


def reported(function: F) -> F:
    """Decorate a public function so that its errors name it."""
    return Location(function.__name__)(function)


def _shorten(error: Exception, frames: list[tuple[types.FrameType, int]]) -> None:
    """Remove the frames of this library from a traceback, as JAX and Flax do with theirs."""
    if jax.config.jax_traceback_filtering == "off":  # pyright: ignore[reportAttributeAccessIssue]
        return
    error.__traceback__, others = None, _others()
    for frame, line in reversed(frames):
        written = frame.f_code.co_qualname.startswith("__create_fn__.")  # by dataclasses
        if not (written or frame.f_code.co_filename.startswith(others)):
            after = error.__traceback__
            error.__traceback__ = types.TracebackType(after, frame, frame.f_lasti, line)


def _others() -> tuple[str, ...]:
    """Folders and files whose frames are not the user's; a library that is not loaded has none."""
    loaded = (sys.modules[name] for name in _LIBRARIES if name in sys.modules)
    folders = (os.path.dirname(str(module.__file__)) for module in loaded)
    return (_HERE, *folders, contextlib.__file__)
