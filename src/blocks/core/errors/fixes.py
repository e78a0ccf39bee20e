"""Common mistakes in arguments, each with its fix."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
from beartype.door import is_bearable

from blocks.core.errors.places import home, told
from blocks.core.errors.words import alternatives, is_array, shown


@dataclasses.dataclass(frozen=True)
class Mistake:
    """An argument that does not fit its annotation, and the call that it belongs to.

    Attributes:
        function: the called function.
        name: name of the argument.
        hint: annotation of the argument.
        given: all arguments by name.
        axes: sizes of axes bound by the arguments before it.
    """

    function: Callable[..., Any]
    name: str
    hint: Any
    given: dict[str, Any]
    axes: dict[str, Any]

    @property
    def value(self) -> Any:
        """The given argument."""
        return self.given[self.name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the given argument, if it is an array."""
        return tuple(self.value.shape)

    @functools.cached_property
    def array(self) -> Any:
        """The array annotation that is nearest to the given argument; None if there is none."""
        arrays = [kind for kind in alternatives(self.hint) if hasattr(kind, "dim_str")]
        dtype = str(getattr(self.value, "dtype", ""))
        return next((kind for kind in arrays if dtype in kind.dtypes), (*arrays, None)[0])

    @property
    def dims(self) -> list[str]:
        """Names of the expected axes."""
        return self.array.dim_str.replace("#", "").split()

    @property
    def more(self) -> int:
        """Number of given axes beyond the required ones."""
        return len(self.shape) - len([name for name in self.dims if not name.startswith("*")])


def likely_fix(mistake: Mistake) -> str | None:
    """Return the fix of the first recognised mistake; None if there is none."""
    rules = _ANY if mistake.array is None or not is_array(mistake.value) else (*_ANY, *_ARRAYS)
    return next(filter(None, (rule(mistake) for rule in rules)), None)


def _class(m: Mistake) -> str | None:
    kinds = tuple(kind for kind in alternatives(m.hint) if inspect.isclass(kind))
    given = inspect.isclass(m.value) and issubclass(m.value, kinds)
    return f"it is the class; write {m.value.__name__}(...)" if given else None


def _swapped(m: Mistake) -> str | None:
    """Fix an argument that fits another parameter; None and wrong sizes do not count."""
    hints = {name: hint for name, hint in m.function.__annotations__.items() if name != "return"}
    if m.value is None or _alone(m.value, m.hint):
        return None
    for other in (name for name in hints if name != m.name and _alone(m.value, hints[name])):
        instead = m.given.get(other)
        if instead is not None and _alone(instead, m.hint):
            first, second = sorted((m.name, other), key=list(hints).index)
            return f"they are swapped: `{first}` comes before `{second}`"
        if instead is None and not is_array(m.value) and hints[other] is not Any:
            return f"it fits the argument `{other}`; write {other}={shown(m.value)}"
    return None


def _alone(value: Any, hint: Any) -> bool:
    """Return whether a value fits an annotation by itself, regardless of other arguments."""
    with jaxtyping.jaxtyped("context"):
        return not isinstance(hint, str) and is_bearable(value, hint)


def _switch(m: Mistake) -> str | None:
    """Fix a switch that is not a Python bool."""
    if m.hint is not bool:
        return None
    if not is_array(m.value):
        return (
            f"write {bool(m.value)}" if isinstance(m.value, (int, float)) else "write True or False"
        )
    if not isinstance(m.value, jax.Array):  # numpy's
        return f"write bool({m.name})"
    if jnp.issubdtype(m.value.dtype, jax.dtypes.prng_key):
        return 'the key of dropout goes to apply: rngs={"dropout": key}'
    return "it is an array; close over a Python bool, or name it in static_argnums of jax.jit"


def _no_array(m: Mistake) -> str | None:
    """Fix a value that is not an array where one is expected."""
    if m.array is None or is_array(m.value):
        return None
    if isinstance(m.value, jax.ShapeDtypeStruct):
        return f"it is a shape, not an array; pass it through jax.eval_shape(function, {m.name})"
    if "'" in shown(m.value) and not isinstance(m.value, dict):
        return "text becomes token ids first, by a tokenizer"
    if isinstance(m.value, dict) and "params" in m.value:
        return "the variables come first: block.apply(variables, ...)"
    if isinstance(m.value, (list, tuple, int, float)) or hasattr(m.value, "__array__"):
        return f"make it an array: jnp.asarray({m.name})"
    return None


def _dtype(m: Mistake) -> str | None:
    if str(m.value.dtype) in m.array.dtypes:
        return None
    if "bool" in m.array.dtypes:
        return f"make it boolean: {m.name}.astype(bool)"
    if "int32" in m.array.dtypes:
        if jnp.issubdtype(m.value.dtype, jnp.floating) and m.more == 1:
            return f"it looks one-hot; give the ids, jnp.argmax({m.name}, axis=-1)"
        return f"give whole numbers: {m.name}.astype(jnp.int32)"
    if m.dims[:2] == ["batch", "seq"] and m.more == -1:
        return "it looks like token ids; embed them first, as TokenEmbedding does"
    return f"make it floating point: {m.name}.astype(jnp.float32)"


def _rank(m: Mistake) -> str | None:
    if m.more == -1 and m.dims[0] == "batch":
        return f"add the batch axis: {m.name}[None]"
    if m.more <= 0 or "*" in m.array.dim_str:
        return None
    if "bool" in m.array.dtypes:
        return MASK
    if m.dims[0] != "batch" and len(m.dims) == 2:
        return f"one row per token: {m.name}.reshape(-1, {m.name}.shape[-1])"
    return f"drop the first axis, {m.name}[0]" if m.shape[0] == 1 else "call it under jax.vmap"


def _size(m: Mistake) -> str | None:
    """Fix axes whose sizes differ from those of earlier arguments."""
    if len(m.shape) != len(m.dims):
        return None
    sizes = [m.axes.get(name, size) for name, size in zip(m.dims, m.shape, strict=True)]
    turned = [m.axes.get(name, size) for name, size in zip(m.dims, m.shape[::-1], strict=True)]
    if len(m.shape) == 2 and turned == [*m.shape[::-1]]:
        return f"transpose it: {m.name}.T"
    if "bool" in m.array.dtypes and m.shape == (m.axes.get(m.dims[-1]),) * 2:
        return MASK
    if m.shape[0] == 1 and [*m.shape[1:]] == sizes[1:]:
        return f"one row for every sequence: jnp.broadcast_to({m.name}, {tuple(sizes)})"
    return None


MASK = (
    "who sees whom is a field of attention, as mask=Causal(); padding comes as Context(valid=...)"
)
_ANY = (
    _class,
    _swapped,
    lambda m: told(m.value, m.hint),
    lambda m: home(m.value),  # a part of a model, which is passed when the model is constructed
    _switch,
    _no_array,
)
_ARRAYS = (_dtype, _rank, _size)
