"""Tracebacks that end in the user's own line: refusals leave out the frames of the libraries.

JAX and Flax take their own frames out of tracebacks; this does the same for what blocks refuse, in
the modes of JAX's switch: `JAX_TRACEBACK_FILTERING=off` shows everything, and IPython only hides.
"""

import builtins
import dis
import functools
import os
import types
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import beartype
import chex
import flax
import jax
import jaxtyping

P = ParamSpec("P")
R = TypeVar("R")

_HERE = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
_LIBRARIES = (
    _HERE,
    *(os.path.dirname(str(m.__file__)) + os.sep for m in (beartype, chex, flax, jax, jaxtyping)),
)


def refused(error: BaseException) -> bool:
    """Whether a `raise` of this library made the error; a bug or another library's error is not."""
    last = error.__traceback__
    if last is None:
        return False
    while last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code
    by_statement = code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return by_statement and code.co_filename.startswith(_HERE)


def shorten(error: BaseException) -> None:
    """Takes the libraries' frames out of an error's traceback, or hides them from IPython.

    A bare `raise` after it adds no frame, so the traceback then ends where the user called.
    """
    mode = jax.config.jax_traceback_filtering  # pyright: ignore[reportAttributeAccessIssue]
    if mode == "off":
        return
    frames = []
    entry = error.__traceback__
    while entry is not None:
        frames.append(entry)
        entry = entry.tb_next
    if mode == "tracebackhide" or (mode == "auto" and hasattr(builtins, "get_ipython")):
        for entry in filter(_internal, frames):
            entry.tb_frame.f_locals["__tracebackhide__"] = True
        return
    kept = None
    for entry in reversed(frames):
        if not _internal(entry):
            kept = types.TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = kept


def ending(function: Callable[P, R]) -> Callable[P, R]:
    """Ends the tracebacks of what `function` refuses in its caller's line."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if refused(error):
                shorten(error)
            raise

    return call


def _internal(entry: types.TracebackType) -> bool:
    code = entry.tb_frame.f_code
    made = ("__create_fn__.", "__beartype")  # by dataclasses, by beartype
    return code.co_filename.startswith(_LIBRARIES) or code.co_qualname.startswith(made)
