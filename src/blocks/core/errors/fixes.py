"""Common mistakes in fields and arguments, each with its fix."""

import ast
import contextlib
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from beartype.door import is_bearable
from jax.core import Tracer
from jax.nn import one_hot

from blocks.core.errors.places import place, subclasses
from blocks.core.errors.words import alternatives, is_array, is_function


class Mistake(NamedTuple):
    """A value that a field or an argument cannot hold.

    Attributes:
        name: name of the field or argument.
        value: the given value.
        hint: its annotation.
        hints: annotations of all fields or arguments.
        axes: sizes of axes bound by the arguments before it.
    """

    name: str
    value: Any
    hint: Any
    hints: dict[str, Any]
    axes: Mapping[str, Any] = {}

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that it can hold."""
        return alternatives(self.hint)

    @property
    def classes(self) -> tuple[type, ...]:
        """The classes among them."""
        return tuple(kind for kind in self.kinds if inspect.isclass(kind))

    @property
    def dims(self) -> list[str]:
        """Names of the axes of the first array that it can hold; none if it holds no arrays."""
        arrays = (kind.dim_str for kind in self.kinds if hasattr(kind, "dim_str"))
        return next(arrays, "").replace("#", "").split()


def likely_fix(m: Mistake) -> str | None:
    """Return the fix of the first recognised mistake; None if there is none."""
    rules = (_recognised, _told, _converted, _named)
    return next(filter(None, (rule(m) for rule in rules)), None) or place(m.value, m.hints)


def _recognised(m: Mistake) -> str | None:
    words = next((words for words, applies in _MISTAKES.items() if applies(m)), None)
    return words and words.format(name=m.name, value=getattr(m.value, "__name__", ""))


def _told(m: Mistake) -> str | None:
    """The fix that an expected class gives for a value in its place, by its `instead_of`."""
    said = (kind.instead_of(m.value) for kind in m.kinds if hasattr(kind, "instead_of"))
    return next(filter(None, said), None)


def _converted(m: Mistake) -> str | None:
    """Fix a value that fits once it is converted."""
    sizes = [int(dim) if dim.isdigit() else m.axes.get(dim, 1) for dim in m.dims]
    for words, convert in _CONVERSIONS:
        made: list[Any] = []
        with contextlib.suppress(Exception):
            jax.eval_shape(lambda convert=convert, made=made: made.append(convert(m.value, sizes)))
        if made and is_bearable(made[0], m.hint):
            number = f"{type(made[0]).__name__}({m.name})" if is_array(m.value) else made[0]
            first = {"axis": m.dims[0], "batch": sizes[0]} if sizes else {}
            return words.format(name=m.name, number=number, **first)
    return None


def _named(m: Mistake) -> str | None:
    """Fix a class or a function of JAX given by name, or a maker of an initialiser."""
    draws = m.hint == Callable[..., jax.Array]
    name = m.value if isinstance(m.value, str) else getattr(m.value, "__name__", "") * draws
    known = {k.__name__.lower(): k.__name__ for kind in m.classes for k in subclasses(kind)}
    plain, slot = (word.replace("_", "").replace("-", "").lower() for word in (name, m.name))
    for asked in (plain, plain + slot) if name else ():
        if near := difflib.get_close_matches(asked, known, n=1, cutoff=0.8):
            return f"write {known[near[0]]}(...), a value instead of its name"
    for module, functions in _FUNCTIONS.items():
        if callable(found := getattr(functions, name or " ", None)):
            call = "()" * (draws and "key" not in inspect.signature(found).parameters)
            return f"pass the function, {module}.{name}{call}"
    return "write a value instead of a name" if name else None


def _exactly(kind: type, value: Any) -> Any:
    if isinstance(value, bool) or kind(value) != float(value):
        raise ValueError(value)
    return kind(value)


_FUNCTIONS = {
    "jax.nn.initializers": jax.nn.initializers,
    "jax.checkpoint_policies": jax.checkpoint_policies,
    "jax.nn": jax.nn,
}
MASK = (
    "who sees whom is a field of attention, as mask=Causal(); padding comes as Context(valid=...)"
)
_MISTAKES: dict[str, Callable[[Mistake], Any]] = {
    "it is the class; write {value}(...)": lambda m: (
        inspect.isclass(m.value) and issubclass(m.value, m.classes)
    ),
    "the slot holds a block, not a function; if it makes one, call it": lambda m: (
        any(issubclass(kind, nn.Module) for kind in m.classes)
        and (is_function(m.value) or isinstance(m.value, functools.partial))
    ),
    'the key of dropout goes to apply: rngs={{"dropout": key}}': lambda m: (
        is_array(m.value) and jnp.issubdtype(m.value.dtype, jax.dtypes.prng_key)
    ),
    "it is traced; close over a Python value, or name it in static_argnums of jax.jit": lambda m: (
        isinstance(m.value, Tracer) and {int, float, bool} & {*m.kinds}
    ),
    "it is a shape, not an array; pass it through jax.eval_shape(function, {name})": lambda m: (
        m.dims and isinstance(m.value, jax.ShapeDtypeStruct)
    ),
    "the variables come first: block.apply(variables, ...)": lambda m: (
        m.dims and isinstance(m.value, Mapping) and "params" in m.value
    ),
    "text becomes token ids first, by a tokenizer": lambda m: (
        m.dims and any(isinstance(leaf, str) for leaf in jax.tree.leaves(m.value))
    ),
    "make it an array: jnp.asarray({name})": lambda m: (
        m.dims
        and not is_array(m.value)
        and (isinstance(m.value, (list, tuple, int, float)) or hasattr(m.value, "__array__"))
    ),
    MASK: lambda m: (
        any("bool" in getattr(kind, "dtypes", ()) for kind in m.kinds)
        and is_array(m.value)
        and (m.value.ndim > len(m.dims) or m.value.shape == (m.axes.get(m.dims[-1]),) * 2)
    ),
}
_CONVERSIONS: tuple[tuple[str, Callable[[Any, list[int]], Any]], ...] = (
    ("write {number}, without quotes", lambda x, _: ast.literal_eval(x)),
    ("write {number}", lambda x, _: _exactly(int, x)),
    ("write {number}", lambda x, _: _exactly(float, x)),
    ("write {number}", lambda x, _: _exactly(bool, x)),
    ("write it as a tuple, (...,)", lambda x, _: (x,)),
    ("it holds one value; write it without the brackets", lambda x, _: x if x[1:] else x[0]),
    ("add the {axis} axis: {name}[None]", lambda x, _: x[None]),
    ("drop the first axis, {name}[0]", lambda x, _: x.squeeze(0)),
    ("call it under jax.vmap", lambda x, _: x[0]),
    ("make it boolean: {name}.astype(bool)", lambda x, _: x.astype(bool)),
    ("make it floating point: {name}.astype(jnp.float32)", lambda x, _: x.astype(jnp.float32)),
    ("it looks one-hot; give the ids, jnp.argmax({name}, axis=-1)", lambda x, _: x.argmax(-1)),
    ("give whole numbers: {name}.astype(jnp.int32)", lambda x, _: x.astype(jnp.int32)),
    ("it looks like token ids; embed them, as TokenEmbedding does", lambda x, n: one_hot(x, n[2])),
    ("transpose it: {name}.T", lambda x, _: x.T),
    ("one row for every sequence: {name}.repeat({batch}, 0)", lambda x, n: x.repeat(n[0], 0)),
)
