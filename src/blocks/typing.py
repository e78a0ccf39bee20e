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
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeAlias, TypeVar

import flax.linen as nn
import jax
from beartype import beartype
from jaxtyping import Array, Bool, Float, Int, Key, TypeCheckError, jaxtyped

__all__ = ["Array", "Bool", "Dtype", "Float", "Initializer", "Int", "Key", "typed"]

Dtype: TypeAlias = jax.typing.DTypeLike
Initializer: TypeAlias = Callable[..., jax.Array]

P = ParamSpec("P")
R = TypeVar("R")


def typed(function: Callable[P, R]) -> Callable[P, R]:
    """Checks arguments and result of `function` against its annotations, once per trace.

    Shapes and dtypes are static under `jit`, so the check leaves no operation behind. It stands
    innermost, below `@nn.compact`.

    Raises:
        TypeError: names the block, the argument, what its signature expects and what it got.
    """
    checked = jaxtyped(function, typechecker=beartype)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return checked(*args, **kwargs)
        except TypeCheckError as error:
            message = _explain(function, args, str(error))
        raise TypeError(message)

    return wrapper


def _explain(function: Callable[..., Any], args: tuple[Any, ...], report: str) -> str:
    """Says in three lines what jaxtyping's report says in twenty."""
    parameter = re.search(r"whilst typechecking parameter '(\w+)'", report)
    actual = re.search(r"^Actual value: (.*?)(?: Expected type:|$)", report, re.M)
    expected = re.search(r"^.*Expected type: (.*?)\.?$", report, re.M)
    axes = re.search(r"each jaxtyping axis annotation are as follows\.\n((?:\w+=.*\n?)+)", report)
    if not (actual and expected):
        return report
    what = f"argument `{parameter[1]}`" if parameter else "the result"
    module = args[0] if args and isinstance(args[0], nn.Module) else None
    origin = function.__qualname__.lstrip("_") if module is None else where(module)
    text = (
        f"{origin}: {what} does not fit its signature\n"
        f"  expected: {_readable(expected[1])}\n"
        f"  actual:   {_readable(actual[1])}"
    )
    if axes:
        bound = ", ".join(axes[1].splitlines())
        text += f"\n  with:     {bound} (bound by the arguments before it)"
    return text


def where(module: nn.Module) -> str:
    """A block and its path in the model, as errors name it."""
    path = ".".join(module.path) if module.scope is not None else ""
    name = type(module).__name__
    return f"{name} at `{path}`" if path else name


def _readable(annotation: str) -> str:
    """An annotation as it stands in the source, without what Python wraps around it."""
    bare = re.sub(r"<class '(.*?)'>", r"\1", annotation.strip())
    return (
        bare.replace("jaxtyping.", "")
        .replace("jaxlib._jax.", "")
        .replace("(jax)", "")
        .replace("(numpy)", " of numpy")
    )
