"""Tracebacks of errors, without the frames of libraries, so that they end in the user's line.

JAX and Flax filter their own frames out of tracebacks; this does the same for errors of blocks, in
the modes of JAX's option: `JAX_TRACEBACK_FILTERING=off` shows everything, and IPython only hides.
"""

import builtins
import functools
import os
import types
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import chex
import flax
import jax

P = ParamSpec("P")
R = TypeVar("R")

_HERE = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
_LIBRARIES = (_HERE, *(os.path.dirname(str(m.__file__)) + os.sep for m in (chex, flax, jax)))


def refused(error: BaseException) -> bool:
    """Return whether this library raised the error, not a custom part or another library."""
    entries = list(_entries(error))
    ours = entries and entries[-1].tb_frame.f_code.co_filename.startswith(_HERE)
    return bool(ours) and type(error) in (TypeError, ValueError)


def shorten(error: BaseException) -> None:
    """Remove the libraries' frames from an error's traceback, or hide them from IPython.

    A bare `raise` after it adds no frame, so the traceback then ends where the user called.
    """
    mode = jax.config.jax_traceback_filtering  # pyright: ignore[reportAttributeAccessIssue]
    if mode == "off":
        return
    entries = list(_entries(error))
    if mode == "tracebackhide" or (mode == "auto" and hasattr(builtins, "get_ipython")):
        for entry in filter(_internal, entries):
            entry.tb_frame.f_locals["__tracebackhide__"] = True
        return
    kept = None
    for entry in reversed(entries):
        if not _internal(entry):
            kept = types.TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = kept


def ending(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that tracebacks of its errors end in its caller's line."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if refused(error):
                shorten(error)
            raise

    return call


def _entries(error: BaseException) -> Iterator[types.TracebackType]:
    entry = error.__traceback__
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _internal(entry: types.TracebackType) -> bool:
    code = entry.tb_frame.f_code
    written = code.co_qualname.startswith("__create_fn__.")  # by dataclasses
    return written or code.co_filename.startswith(_LIBRARIES)
