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
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from blocks.core.errors.binding import bind
from blocks.core.errors.collections import translating
from blocks.core.errors.location import Location, running, where
from blocks.core.errors.signatures import RESULT, check
from blocks.core.errors.words import shown

__all__ = ["Array", "Bool", "Dtype", "Float", "Initializer", "Int", "Key", "typed"]


class Meaning(NamedTuple):
    """Mark of a field whose type alone does not say what it holds.

    Attributes:
        words: what the field holds, for messages.
        holds: returns whether a value of that type is such.
    """

    words: str
    holds: Callable[[Any], bool]


def _computes(value: Any) -> bool:
    try:
        return jnp.issubdtype(jnp.dtype(value), jnp.inexact)
    except TypeError:
        return False


def _draws(value: Any) -> bool:
    """Return whether a function of JAX is an initialiser, not a factory of one."""
    ours = inspect.isfunction(value) and value.__module__.endswith("nn.initializers")
    return not ours or "key" in inspect.signature(value).parameters


_INITIALISER = (
    "an initialiser, a function of key, shape and dtype, as Normal(0.02) or "
    "nn.initializers.normal()"
)
Dtype: TypeAlias = Annotated[
    jax.typing.DTypeLike, Meaning("a floating point dtype, as jnp.bfloat16", _computes)
]
Initializer: TypeAlias = Annotated[
    Callable[..., jax.Array],
    Meaning(_INITIALISER, _draws),
]

KEYS = Mapping, Key[Array, "..."], UInt32[Array, "..."]
"""Random keys: by name, typed, or raw."""

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
        if module is None and running.get():  # errors are the enclosing block's
            return _checked(function, signature, args, kwargs)
        name = function.__qualname__.lstrip("_") if module is None else where(module)
        before = running.set(() if module is None else args)
        try:
            with Location(name), translating():
                return _checked(function, signature, args, kwargs)
        finally:
            running.reset(before)

    return wrapper


def starting(method: Callable[P, R], first: str, kinds: Any) -> Callable[P, R]:
    """Wrap `init` or `apply` of Linen's modules, to refuse what is not of `kinds` as the first."""

    @nn.nowrap
    @functools.wraps(method)
    def call(*given: P.args, **options: P.kwargs) -> R:
        module, *args = given
        with Location(type(module).__name__):
            args[:1] = jax.tree.map(of_jax, args[:1])
            if args and not isinstance(args[0], kinds):
                name = method.__name__
                raise TypeError(f"{name} got {shown(args[0])} first; write {name}({first}, ...).")
            return method(module, *args, **options)  # pyright: ignore[reportCallIssue]

    return call


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
