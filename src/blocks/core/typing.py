"""The axis legend, array aliases and `typed`, the decorator that checks every public call.

One word per axis, used in every signature of the library:

| axis | meaning |
|---|---|
| `batch` | independent sequences; `*batch` is any number of leading axes |
| `seq` | tokens of a sequence; `q_seq` and `kv_seq` where queries and keys differ |
| `memory_seq` | tokens of the other sequence, which cross-attention reads |
| `embed` | features of a token between blocks; `memory_embed` of the memory |
| `condition_embed` | features of what a whole sequence is conditioned on |
| `heads`, `kv_heads` | query heads; heads of keys and values, which query heads may share |
| `head_dim` | features of one head |
| `hidden` | features inside an MLP |
| `vocab` | token ids |
| `ahead` | tokens predicted at one place |
| `width` | features of all streams that a layout carries, side by side |

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

from blocks.core.errors.collections import translate
from blocks.core.errors.location import Running, report, running, where
from blocks.core.errors.signatures import bind, check_arguments, check_result

__all__ = ["Array", "Bool", "Dtype", "Float", "Initializer", "Int", "Key", "typed"]


class Floating:
    """Marks a dtype as one to compute in."""


class Draws:
    """Marks a function as an initialiser."""


Dtype: TypeAlias = Annotated[jax.typing.DTypeLike, Floating()]
Initializer: TypeAlias = Annotated[Callable[..., jax.Array], Draws()]

P = ParamSpec("P")
R = TypeVar("R")


def typed(function: Callable[P, R]) -> Callable[P, R]:
    """Checks arguments and result of `function` against its annotations, once per trace.

    Shapes and dtypes are static under `jit`, so the check leaves no operation behind. It stands
    innermost, below `@nn.compact`. On a block's method it also says where in the model an error
    arose, whatever raised it; tracebacks of what blocks refuse end in the caller's line. Arrays of
    numpy become arrays of JAX.

    Raises:
        TypeError: names the block, the argument, what its signature expects and what it got, and
            the fix where the mistake is a known one.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*given: P.args, **named: P.kwargs) -> R:
        args: Any = tuple(of_jax(arg) for arg in given)
        kwargs: Any = {name: of_jax(arg) for name, arg in named.items()}
        module = args[0] if args and isinstance(args[0], nn.Module) else None
        before = running.set(running.get() if module is None else Running(module, args))
        try:
            return _checked(function, signature, args, kwargs)
        except Exception as caught:
            error = translate(caught) or caught
            if error is caught:
                _report(error, function, module)
                raise
        finally:
            running.reset(before)
        try:
            raise error
        except ValueError:  # in other words, with nothing behind it
            _report(error, function, module)
            raise

    return wrapper


def of_jax(value: Any) -> Any:
    """Numpy's arrays of numbers as those of JAX; data and weights that are read from files are.

    Numpy's scalars, which cannot be written to, stay what they are.
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
    with jaxtyping.jaxtyped("context"):  # within which axes of one name have one size
        check_arguments(function, bound.arguments)
        result = function(*bound.args, **bound.kwargs)
        check_result(function, bound.arguments, result)
    return result


def _report(error: Exception, function: Callable[..., Any], module: nn.Module | None) -> None:
    if module is not None:
        report(error, type(module).__name__, where(module))
    elif running.get() is None:  # else the block around it says where it is
        report(error, function.__qualname__.lstrip("_"))
