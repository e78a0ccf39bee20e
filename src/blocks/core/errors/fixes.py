"""Common mistakes in fields and arguments, each with its fix."""

import ast
import contextlib
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from beartype.door import is_bearable
from jax.core import Tracer
from jax.nn import one_hot

from blocks.core.errors.habits import MASK
from blocks.core.errors.places import place, public
from blocks.core.errors.words import alternatives, is_array, shown


def likely_fix(name: str, value: Any, hint: Any, hints: Mapping[str, Any]) -> str | None:
    """Return the fix of a value that does not fit its annotation; None if it is not recognised.

    The annotations of all fields, or arguments, tell where the value would fit.
    """
    kinds = alternatives(hint)
    classes = tuple(filter(inspect.isclass, kinds))
    arrays = [kind for kind in kinds if hasattr(kind, "dim_str")]
    told = (kind.instead_of(value) for kind in kinds if hasattr(kind, "instead_of"))
    given: Any = value  # narrowed alone, by type checkers
    if inspect.isclass(given) and issubclass(given, classes):
        return f"it is the class; write {value.__name__}(...)"
    if hasattr(value, "__name__") or isinstance(value, functools.partial):
        return f"call it, if it makes what is expected: {shown(value)}(...)"
    if is_array(value) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return 'the key of dropout goes to apply: rngs={"dropout": key}'
    if isinstance(value, Tracer) and {int, float, bool} & {*kinds}:
        return "it is traced; close over a Python value, or name it in static_argnums of jax.jit"
    if is_array(value) and any("bool" in kind.dtypes for kind in arrays):
        square = value.ndim > 1 and value.shape[-1] == value.shape[-2]
        if value.ndim > 3 or (square and value.dtype == bool):
            return MASK
    if arrays and isinstance(value, Mapping):
        return "give one of its arrays; variables come first, block.apply(variables, ...)"
    if arrays and any(isinstance(leaf, str) for leaf in jax.tree.leaves(value)):
        return "text becomes token ids first, by a tokenizer"
    if fix := next(filter(None, told), None) or _converted(name, value, hint, arrays):
        return fix
    if isinstance(value, str):
        return _named(value, name, classes)
    array = f"give an array, as jnp.asarray({name})" if arrays and not is_array(value) else None
    return place(value, hints) or array


def _converted(name: str, value: Any, hint: Any, arrays: list[Any]) -> str | None:
    """Fix a value that fits once it is converted."""
    axis = [dim.lstrip("#") for kind in arrays for dim in kind.dim_str.split()]
    for words, convert in _CONVERSIONS:
        made: list[Any] = []
        with contextlib.suppress(Exception):
            jax.eval_shape(lambda convert=convert, made=made: made.append(convert(value)))
        if made and is_bearable(made[0], hint):
            number = f"{type(made[0]).__name__}({name})" if is_array(value) else made[0]
            return words.format(name=name, number=number, axis=axis)
    return None


def _named(value: str, slot: str, classes: tuple[type, ...]) -> str:
    """Fix a class or a function given by its name, of which the slot may be a part."""
    known = {k.__name__.lower(): k.__name__ for kind in classes for k in public(kind)}
    plain, slot = (word.replace("_", "").replace("-", "").lower() for word in (value, slot))
    for asked in (plain, plain + slot):
        if near := difflib.get_close_matches(asked, known, n=1, cutoff=0.8):
            return f"write {known[near[0]]}(...), a value instead of its name"
    if not known and callable(getattr(jax.nn, value, None)):
        return f"pass the function, jax.nn.{value}"
    return "write a value instead of a name"


_CONVERSIONS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("write {number}, without quotes", ast.literal_eval),
    ("write {number}", lambda x: int(f"{x:.15g}")),  # raises where it is not whole
    ("write {number}", float),
    ("write {number}", lambda x: {0: False, 1: True}[x]),
    ("write it as a tuple, (...,)", lambda x: (x,)),
    ("add the {axis[0]} axis: {name}[None]", lambda x: x[None]),
    ("drop the first axis, {name}[0]", lambda x: x.squeeze(0)),
    ("it has an axis more: call it under jax.vmap, with in_axes=0 for {name}", lambda x: x[0]),
    ("make it boolean: {name}.astype(bool)", lambda x: x.astype(bool)),
    ("make it floating point: {name}.astype(jnp.float32)", lambda x: x.astype(jnp.float32)),
    ("it looks one-hot; give the ids, jnp.argmax({name}, axis=-1)", lambda x: x.argmax(-1)),
    ("give whole numbers: {name}.astype(jnp.int32)", lambda x: x.astype(jnp.int32)),
    ("it looks like token ids; embed them, as TokenEmbedding does", lambda x: one_hot(x, 1)),
    ("transpose it: {name}.T", lambda x: x.T),
)
