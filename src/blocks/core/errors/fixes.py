"""Mistakes that are recognised by what was given, each with the fix that goes with it."""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from beartype.door import is_bearable


@dataclasses.dataclass(frozen=True)
class Mistake:
    """An argument that does not fit, and what it came with.

    Attributes:
        function: that was called.
        name: of the argument.
        given: all arguments by name.
        axes: sizes that the arguments before it bound.
    """

    function: Callable[..., Any]
    name: str
    given: dict[str, Any]
    axes: dict[str, str]

    @property
    def value(self) -> Any:
        """What was given."""
        return self.given[self.name]

    @functools.cached_property
    def hints(self) -> dict[str, Any]:
        """What the arguments of the function can be."""
        hints = self.function.__annotations__.items()
        return {name: h for name, h in hints if name != "return" and not isinstance(h, str)}

    @functools.cached_property
    def kinds(self) -> tuple[Any, ...]:
        """What the argument can be, one by one."""
        return alternatives(self.hints[self.name]) if self.name in self.hints else ()

    def takes(self, name: str) -> bool:
        """Whether the argument can be of a class of that name."""
        return any(getattr(kind, "__name__", None) == name for kind in self.kinds)

    @functools.cached_property
    def array(self) -> Any:
        """The array that the argument can be, the one nearest to what was given; None for none."""
        arrays = [kind for kind in self.kinds if hasattr(kind, "dim_str")]
        dtype = str(getattr(self.value, "dtype", ""))
        return next((kind for kind in arrays if dtype in kind.dtypes), (*arrays, None)[0])

    @property
    def dims(self) -> list[str]:
        """Names of the axes that the array should have."""
        return self.array.dim_str.replace("#", "").split()


def likely_fix(mistake: Mistake) -> str | None:
    """The fix of the first mistake that is recognised."""
    for recognise in _RULES:
        fix = recognise(mistake)
        if fix is not None:
            return fix
    return None


def _layout(m: Mistake) -> str | None:
    """What a residual layout is called on: sublayers by name, and what makes norms."""
    if (m.name == "sublayers" and callable(m.value)) or isinstance(m.value, (list, tuple)):
        return 'give each a name: {"mlp": function, ...}' if m.name == "sublayers" else None
    if m.name == "norm" and "sublayers" in m.given:
        return "give what makes a norm by its name: lambda name: LayerNorm(name=name)"
    return None


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _class(m: Mistake) -> str | None:
    if not inspect.isclass(m.value):
        return None
    if any(inspect.isclass(kind) and issubclass(m.value, kind) for kind in m.kinds):
        return f"it is the class; write {m.value.__name__}(...)"
    return None


def _swapped(m: Mistake) -> str | None:
    """It fits another argument; None and things that fit anywhere say nothing."""
    if m.value is None or m.name not in m.hints or m.function.__qualname__.startswith("_"):
        return None
    if is_bearable(m.value, m.hints[m.name]):  # another size, no other kind
        return None
    same = m.array is not None and str(getattr(m.value, "dtype", "")) in m.array.dtypes
    for other, hint in m.hints.items():
        if other == m.name or hint is Any or not is_bearable(m.value, hint):
            continue
        instead = m.given.get(other)
        if instead is not None and is_bearable(instead, m.hints[m.name]):
            first, second = sorted((m.name, other), key=list(m.hints).index)
            return f"they are swapped: `{first}` comes before `{second}`"
        if instead is None and not same:
            shown = m.value if isinstance(m.value, bool) else "..."
            return f"it fits the argument `{other}`; write {other}={shown}"
    return None


def _context(m: Mistake) -> str | None:
    """What goes into a context, given in its place."""
    if not m.takes("Context"):
        return None
    if isinstance(m.value, dict):
        return "write Context(**...), or Context(field=...)"
    if any(kind.__name__ == "Mask" for kind in type(m.value).__mro__):
        return f"a mask is a field of attention, mask={m.value}; it comes with no call"
    if not hasattr(m.value, "shape") or not hasattr(m.value, "dtype"):
        return None
    dtype, shape = m.value.dtype, tuple(m.value.shape)
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return _RNGS
    if jnp.issubdtype(dtype, jnp.bool_) or len(shape) > 3:
        square = len(shape) != 2 or shape[0] == shape[1] == int(m.axes.get("seq", -1))
        return _MASK if square else "padding comes as Context(valid=...), True for real tokens"
    if jnp.issubdtype(dtype, jnp.integer):
        return (
            "give it a name: Context(positions=...), Context(segment_ids=...) or "
            "Context(token_type_ids=...)"
        )
    name = "memory" if len(shape) == 3 else "condition"
    return f"give it a name: Context({name}=...)"


_MASK = (
    "who sees whom is a field of attention, as mask=Causal(); padding comes as Context(valid=...)"
)
_RNGS = 'the key of dropout goes to apply: rngs={"dropout": key}'


def _deterministic(m: Mistake) -> str | None:
    """A switch that is no Python bool."""
    if m.kinds != (bool,):
        return None
    if isinstance(m.value, (int, float)):
        return f"write {bool(m.value)}"
    if hasattr(m.value, "dtype"):
        if not isinstance(m.value, jax.Array):  # numpy's
            return f"write bool({m.name})"
        if jnp.issubdtype(m.value.dtype, jax.dtypes.prng_key):
            return _RNGS
        return "it is an array; close over a Python bool, or name it in static_argnums of jax.jit"
    return "write True or False" if m.value is None else None


def _no_array(m: Mistake) -> str | None:
    """Something else where an array of JAX is asked."""
    if m.array is None or isinstance(m.value, jax.Array):
        return None
    if isinstance(m.value, jax.ShapeDtypeStruct):
        return f"it is a shape, not an array; pass it through jax.eval_shape(function, {m.name})"
    if isinstance(m.value, str) or (
        isinstance(m.value, (list, tuple)) and any(isinstance(item, str) for item in m.value)
    ):
        return "text becomes token ids first, by a tokenizer"
    if isinstance(m.value, dict) and "params" in m.value:
        return "the variables come first: block.apply(variables, ...)"
    if isinstance(m.value, (list, tuple, int, float)) or hasattr(m.value, "__array__"):
        return f"make it an array of JAX: jnp.asarray({m.name})"
    return None


def _dtype(m: Mistake) -> str | None:
    if m.array is None or not hasattr(m.value, "dtype") or str(m.value.dtype) in m.array.dtypes:
        return None
    dims = [name for name in m.dims if not name.startswith("*")]
    dtype, missing = m.value.dtype, len(dims) - len(m.value.shape)
    if "bool" in m.array.dtypes:
        return f"make it boolean: {m.name}.astype(bool)"
    if "int32" in m.array.dtypes:
        if jnp.issubdtype(dtype, jnp.floating) and missing == -1:
            return f"it looks one-hot; give the ids, jnp.argmax({m.name}, axis=-1)"
        return f"give whole numbers: {m.name}.astype(jnp.int32)"
    if "float32" in m.array.dtypes:
        whole, vectors = jnp.issubdtype(dtype, jnp.integer), dims[-1:] in (["embed"], ["channels"])
        if whole and missing == 1 and vectors:
            return "it looks like token ids; embed them first, as TokenEmbedding does"
        return f"make it floating point: {m.name}.astype(jnp.float32)"
    return None


def _rank(m: Mistake) -> str | None:
    if m.array is None or not hasattr(m.value, "shape"):
        return None
    shape, dims = tuple(m.value.shape), m.dims
    if "*" in m.array.dim_str:  # any number of axes may stand there, none too
        fixed = [name for name in dims if not name.startswith("*")]
        short = dims[0] == "batch" and len(shape) == len(fixed) - 1
        return f"add the batch axis: {m.name}[None]" if short else None
    if len(shape) == len(dims):
        return None
    if "bool" in m.array.dtypes and len(shape) > len(dims):
        return _MASK
    if len(shape) == len(dims) - 1 and dims[0] == "batch":
        return f"add the batch axis: {m.name}[None]"
    if dims == ["tokens", "embed"] or dims == ["rows", "embed"]:
        return f"one row per token: {m.name}.reshape(-1, {m.name}.shape[-1])"
    if len(shape) == len(dims) + 1:
        first = f"drop the first axis, {m.name}[0]" if shape[0] == 1 else ""
        return first or "call it under jax.vmap, which hides the first axis"
    return None


def _size(m: Mistake) -> str | None:
    """Axes of another size than arguments before it have."""
    if m.array is None or not hasattr(m.value, "shape"):
        return None
    shape, dims = tuple(m.value.shape), m.dims
    if len(shape) != len(dims):
        return None
    sizes = [int(m.axes[d]) if m.axes.get(d, "").isdigit() else None for d in dims]
    wrong = [place for place, size in enumerate(sizes) if size not in (None, shape[place])]
    if len(shape) == 2 and all(size in (None, shape[1 - i]) for i, size in enumerate(sizes)):
        return f"turn it round: {m.name}.T"
    if "bool" in m.array.dtypes and len(shape) == 2 and shape[0] == shape[1] == sizes[-1]:
        return _MASK
    if wrong == [0] and dims[0] == "batch" and shape[0] == 1:
        full = ", ".join(str(size or shape[place]) for place, size in enumerate(sizes))
        return f"one row for every sequence: jnp.broadcast_to({m.name}, ({full}))"
    return None


_RULES = (
    _class,
    _swapped,
    _layout,
    _context,
    _deterministic,
    _no_array,
    _dtype,
    _rank,
    _size,
)
