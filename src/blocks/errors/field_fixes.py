"""Values that a field cannot hold, each with the fix where the mistake is a known one."""

import difflib
import functools
import inspect
import numbers
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
from beartype.door import is_bearable


def likely_fix(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """The fix for a field that can be one of `kinds`; None where nothing is recognised."""
    for recognise in (
        _dtype,
        _class,
        _uncalled,
        _several,
        _number,
        _text,
        _array,
        _maker,
        _mapping,
        _elsewhere,
    ):
        fix = recognise(name, value, kinds)
        if fix is not None:
            return fix
    return None


def _class(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if inspect.isclass(value) and (name == "kernel" or any(_below_kind(value, k) for k in kinds)):
        return f"it is the class; write {value.__name__}(...)"
    return None


def _below_kind(value: type, kind: Any) -> bool:
    try:
        return issubclass(value, kind)
    except TypeError:  # no class, or a protocol that compares values alone
        return False


def _dtype(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if not name.endswith("dtype"):
        return None
    names = ("float32", "bfloat16", "float16", "float64")
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    return f"write jnp.{near[0]}" if near else "write jnp.float32 or jnp.bfloat16"


def _uncalled(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if not (name.endswith("_init") and inspect.isfunction(value)):
        return None
    return f"it makes initialisers; call it, jax.nn.initializers.{value.__name__}()"


def _several(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if any(is_bearable((value,), kind) for kind in kinds):
        return "write it as a tuple, (...,)"
    one = isinstance(value, (list, tuple)) and len(value) == 1
    if one and any(is_bearable(value[0], kind) for kind in kinds):
        return "it holds one value; write it without the brackets"
    return None


def _number(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """Numbers as text or as floats, and switches that are no bools."""
    if isinstance(value, bool):
        return None
    if kinds[0] is bool and (value is None or isinstance(value, numbers.Integral)):
        return f"write {bool(value)}" if value is not None else "write True or False"
    if int in kinds and isinstance(value, numbers.Real) and float(value).is_integer():
        return f"write {int(float(value))}"
    if isinstance(value, str) and (int in kinds or float in kinds):
        try:
            number = float(value)
        except ValueError:
            return None
        return f"write {int(number) if int in kinds else number}, without quotes"
    return None


def _text(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """An algorithm by its name; here it is a value."""
    if not isinstance(value, str):
        return None
    plain = value.replace("_", "").replace("-", "").lower()
    if name.endswith("_init"):
        maker = getattr(jax.nn.initializers, value, None)
        if maker is None:
            return "pass an initialiser, as Normal(0.02)"
        call = "" if "key" in inspect.signature(maker).parameters else "()"
        return f"pass the initialiser, jax.nn.initializers.{value}{call}"
    if name == "kernel":
        return "kernels are values: dot_product_attention, ChunkedAttention(), CudnnAttention()"
    for kind in _below(kinds):
        if kind.__name__.lower() == plain:
            return f"write {kind.__name__}(...), a value instead of its name"
    if name == "activation":
        known = value if callable(getattr(jax.nn, value, None)) else None
        return f"pass the function, {f'jax.nn.{known}' if known else 'as blocks.gelu'}"
    return None


def _below(kinds: tuple[Any, ...]) -> Iterator[type]:
    for kind in kinds:
        if inspect.isclass(kind) and kind.__module__.startswith("blocks."):
            yield kind
            yield from _below(tuple(kind.__subclasses__()))


def _array(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if not (hasattr(value, "ndim") and hasattr(value, "dtype")):
        return None
    if name == "mask":
        return "a mask is a rule, as Causal(); padding comes with the call, Context(valid=...)"
    if name.endswith("_init"):
        return f"pass a function of key, shape and dtype: lambda key, shape, dtype: {name[:-5]}"
    if value.ndim == 0 and (int in kinds or float in kinds):
        return f"a Python number: {'int' if int in kinds else 'float'}({name})"
    return None


def _maker(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """A function or a number in the place of a block, or of an initialiser."""
    if name.endswith("_init") and isinstance(value, numbers.Real):
        return f"pass an initialiser, as Normal({value})"
    if name.endswith("_init") and isinstance(value, tuple):
        return "pass a function such as Normal(0.02); it is told the shape"
    module = any(inspect.isclass(kind) and issubclass(kind, nn.Module) for kind in kinds)
    if module and (isinstance(value, functools.partial) or inspect.isfunction(value)):
        return "the slot holds a block, not a function; if it makes one, call it"
    return None


def _mapping(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if not isinstance(value, dict):
        return None
    for kind in kinds:
        if set(value) <= set(getattr(kind, "_fields", ())):
            fields = ", ".join(f"{key}={item!r}" for key, item in value.items())
            return f"write {kind.__name__}({fields})"
    return None


def _elsewhere(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """A part that has its place in another block."""
    kind = type(value).__name__
    if name == "position" and kind in ("RoPE", "ALiBi", "RelativeBias"):
        return f"{kind} works inside attention: MultiHeadAttention(position={value})"
    if name == "position" and kind in ("LearnedPositions", "SinusoidalPositions"):
        return f"{kind} is added to embeddings: TokenEmbedding(position=...)"
    return None
