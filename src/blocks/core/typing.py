"""Axis legend, array aliases, and `typed`, the decorator that checks every public call.

One word per axis, used in every signature of the library:

| axis | meaning |
|---|---|
| `batch` | independent sequences; `*batch` is any number of leading axes |
| `seq` | tokens of a sequence; `q_seq` and `kv_seq` where queries and keys differ |
| `memory_seq` | tokens of the other sequence, which cross-attention reads |
| `embed` | features of a token between blocks; `memory_embed` of the memory |
| `condition_embed` | features of the vector that conditions a whole sequence |
| `heads`, `kv_heads` | query heads; heads of keys and values, which query heads may share |
| `head_dim` | features of one head |
| `hidden` | features inside an MLP |
| `vocab` | token ids |
| `ahead` | tokens predicted at one position |
| `width` | features of all residual streams, side by side |

`#` before an axis lets it be 1 and broadcast. `Float[Array, "batch seq embed"]` reads: a floating
point array of rank three with those axes.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeAlias, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
from jaxtyping import Array, Bool, Float, Int, Key

from blocks.core.errors.binding import bind
from blocks.core.errors.collections import translating
from blocks.core.errors.location import Location, Running, running, where
from blocks.core.errors.signatures import RESULT, check

__all__ = ["Array", "Bool", "Dtype", "Float", "Initializer", "Int", "Key", "typed"]


class Floating:
    """Mark of a field for a dtype to compute in."""


class Draws:
    """Mark of a field for an initialiser."""


Dtype: TypeAlias = Annotated[jax.typing.DTypeLike, Floating()]
Initializer: TypeAlias = Annotated[Callable[..., jax.Array], Draws()]

P = ParamSpec("P")
R = TypeVar("R")


def typed(function: Callable[P, R]) -> Callable[P, R]:
    """Check arguments and result of `function` against its annotations, once per trace.

    Shapes and dtypes are static under `jit`, so the check compiles to nothing. The decorator goes
    innermost, below `@nn.compact`. On a block's method it also adds the path in the model to any
    error; tracebacks of errors of blocks end in the caller's line. Numpy arrays are converted to
    JAX arrays.

    Raises:
        TypeError: names the block, the argument, what is expected and what was given, and the fix
            of a common mistake.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*given: P.args, **named: P.kwargs) -> R:
        args: Any = tuple(of_jax(arg) for arg in given)
        kwargs: Any = {name: of_jax(arg) for name, arg in named.items()}
        module = args[0] if args and isinstance(args[0], nn.Module) else None
        if module is None and running.get() is not None:  # errors are the enclosing block's
            return _checked(function, signature, args, kwargs)
        name = function.__qualname__.lstrip("_") if module is None else where(module)
        before = running.set(None if module is None else Running(module, args))
        try:
            with Location(name), translating():
                return _checked(function, signature, args, kwargs)
        finally:
            running.reset(before)

    return wrapper


def of_jax(value: Any) -> Any:
    """Convert numpy arrays of numbers, such as data and weights read from files, to JAX arrays.

    Numpy scalars are immutable, and are not converted.
    """
    numpy = hasattr(value, "__array_interface__") and hasattr(value, "__setitem__")
    return jnp.asarray(value) if numpy and value.dtype.kind not in "OSUMm" else value


def _checked(
    function: Callable[..., R],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> R:
    if jaxtyping.config.jaxtyping_disable:
        return function(*args, **kwargs)
    bound = bind(signature, args, kwargs)
    given = bound.arguments
    with jaxtyping.jaxtyped("context"):  # scope in which axes of one name have one size
        check(function, given, given)
        result = function(*bound.args, **bound.kwargs)
        check(function, {**given, RESULT: result}, [RESULT])
    return result
