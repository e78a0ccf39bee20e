"""Common mistakes in fields, each with its fix."""

import difflib
import functools
import inspect
import numbers
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from beartype.door import is_bearable

from blocks.core.errors.places import elsewhere, told
from blocks.core.errors.words import alternatives, is_array, is_function


class Mistake(NamedTuple):
    """A value that a field cannot hold.

    Attributes:
        name: name of the field.
        value: the given value.
        hint: annotation of the field.
        hints: annotations of all fields of the block.
    """

    name: str
    value: Any
    hint: Any
    hints: dict[str, Any]

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that the field can hold."""
        return alternatives(self.hint)

    def is_a(self, hint: Any) -> bool:
        """Return whether the field can hold everything that an annotation allows."""
        return set(alternatives(hint)) <= set(self.kinds)


def likely_fix(name: str, value: Any, hints: dict[str, Any]) -> str | None:
    """Return the fix for a value that the field `name` cannot hold; None for unknown mistakes."""
    mistake = Mistake(name, value, hints[name], hints)
    return next(filter(None, (rule(mistake) for rule in _RULES)), None)


def _dtype(m: Mistake) -> str | None:
    if not m.is_a(jax.typing.DTypeLike):
        return None
    names = ("float32", "bfloat16", "float16", "float64")
    near = difflib.get_close_matches(str(m.value), names, n=1, cutoff=0.5)
    return f"write jnp.{near[0]}" if near else "write jnp.float32 or jnp.bfloat16"


def _class(m: Mistake) -> str | None:
    if not inspect.isclass(m.value):
        return None
    below = any(inspect.isclass(kind) and issubclass(m.value, kind) for kind in m.kinds)
    called = Callable in {getattr(kind, "__origin__", None) for kind in m.kinds}
    return f"it is the class; write {m.value.__name__}(...)" if below or not called else None


def _several(m: Mistake) -> str | None:
    if is_bearable((m.value,), m.hint):
        return "write it as a tuple, (...,)"
    one = isinstance(m.value, (list, tuple)) and len(m.value) == 1
    if one and is_bearable(m.value[0], m.hint):
        return "it holds one value; write it without the brackets"
    return None


def _number(m: Mistake) -> str | None:
    """Fix numbers given as text, floats or arrays, and switches that are not bools."""
    value = m.value
    if isinstance(value, bool) or (bool in m.kinds and isinstance(value, str)):
        return None
    if m.kinds[0] is bool:
        return f"write {bool(value)}" if isinstance(value, int) else "write True or False"
    kind = next((kind for kind in (int, float) if kind in m.kinds), None)
    if kind is None:
        return None
    if is_array(value) and value.ndim == 0:
        return f"a Python number: {kind.__name__}({m.name})"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if kind is int and not number.is_integer():
        return None
    return f"write {kind(number)}" + ", without quotes" * isinstance(value, str)


def _initializer(m: Mistake) -> str | None:
    """Fix initialisers that are not functions of a key, a shape and a dtype."""
    if m.hint != Callable[..., jax.Array]:
        return None
    made = m.value if inspect.isfunction(m.value) else None
    if isinstance(m.value, str):
        made = getattr(jax.nn.initializers, m.value, None)
    if made is not None:
        call = "" if "key" in inspect.signature(made).parameters else "()"
        return f"pass the initialiser, jax.nn.initializers.{made.__name__}{call}"
    if isinstance(m.value, numbers.Real):
        return f"pass an initialiser, as Normal({m.value})"
    return "pass a function of key, shape and dtype, as Normal(0.02)"


def _text(m: Mistake) -> str | None:
    """Fix an algorithm given by name instead of as a value."""
    if not isinstance(m.value, str):
        return None
    kind = _named(m.value, m.name, m.kinds)
    if kind is not None:
        return f"write {kind.__name__}(...), a value instead of its name"
    for name, module in _FUNCTIONS.items():
        if callable(getattr(module, m.value, None)):
            return f"pass the function, {name}.{m.value}"
    what = "block" if nn.Module in m.kinds else "value"
    return f"write a {what} instead of a name"


def _named(text: str, slot: str, kinds: tuple[Any, ...]) -> type | None:
    """Find a class by its name, its beginning, or its name without the words of the slot."""
    plain, slot = (name.replace("_", "").replace("-", "").lower() for name in (text, slot))
    known = {kind.__name__.lower(): kind for kind in _below(kinds)}
    if plain in known or not plain:
        return known.get(plain)
    full = [kind for name, kind in known.items() if name.startswith(plain + slot)]
    # Every block is a Module: there the beginning of a name is not specific enough.
    some = [kind for name, kind in known.items() if name.startswith(plain)]
    return (*full, *(some if len(some) == 1 and nn.Module not in kinds else ()), None)[0]


def _below(kinds: tuple[Any, ...]) -> Iterator[type]:
    for kind in kinds:
        if inspect.isclass(kind) and (kind is nn.Module or kind.__module__.startswith("blocks.")):
            yield kind
            yield from _below(tuple(kind.__subclasses__()))


def _function(m: Mistake) -> str | None:
    """Fix a function given in the place of a block."""
    block = any(inspect.isclass(kind) and issubclass(kind, nn.Module) for kind in m.kinds)
    if block and (isinstance(m.value, functools.partial) or is_function(m.value)):
        return "the slot holds a block, not a function; if it makes one, call it"
    return None


_FUNCTIONS = {"jax.checkpoint_policies": jax.checkpoint_policies, "jax.nn": jax.nn}
_RULES = (
    lambda m: told(m.value, m.hint),
    _dtype,
    _class,
    _several,
    _number,
    _initializer,
    _text,
    _function,
    lambda m: elsewhere(m.value, m.hints),
)
