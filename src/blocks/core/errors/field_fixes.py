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

from blocks.core.errors.places import elsewhere


def likely_fix(
    name: str, value: Any, kinds: tuple[Any, ...], fields: tuple[str, ...]
) -> str | None:
    """The fix for a field that can be one of `kinds`; None where nothing is recognised.

    Args:
        name: of the field.
        value: that it cannot hold.
        kinds: that it can hold.
        fields: names of all fields that there are.
    """
    for recognise in (
        _dtype,
        _class,
        _uncalled,
        _several,
        _number,
        _cache,
        _remat,
        _text,
        _array,
        _maker,
        _mapping,
    ):
        fix = recognise(name, value, kinds)
        if fix is not None:
            return fix
    return elsewhere(name, value, kinds, fields)


def is_function(value: Any) -> bool:
    """Whether a value is a function, compiled or not, and no class or block."""
    named = callable(value) and hasattr(value, "__name__")
    return named and not inspect.isclass(value) and not isinstance(value, nn.Module)


def _class(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    if inspect.isclass(value) and (
        name == "implementation" or any(_below_kind(value, k) for k in kinds)
    ):
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


def _cache(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """Something that turns caches on, or what one holds, where the rule of one stands."""
    if name != "cache":
        return None
    if isinstance(value, (bool, int)):
        return "a call turns caches on, Context(cache_size=...); the field says what they keep"
    if any(kind.__name__ == "CacheState" for kind in type(value).__mro__):
        return "write the cache that made it, as KeyValueCache(); its state goes from call to call"
    return None


def _remat(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """What to keep for the backward pass, by a name."""
    if name != "remat":
        return None
    if isinstance(value, str):
        if hasattr(jax.checkpoint_policies, value):
            return f"pass the policy, jax.checkpoint_policies.{value}"
        return "write True, which keeps nothing, or a policy of jax.checkpoint_policies"
    if isinstance(value, (list, tuple)):
        names = ", ".join(f'"{item}"' for item in value)
        return f"pass the policy, jax.checkpoint_policies.save_only_these_names({names})"
    return None


def _text(name: str, value: Any, kinds: tuple[Any, ...]) -> str | None:
    """An algorithm by its name; here it is a value."""
    if not isinstance(value, str):
        return None
    if name.endswith("_init"):
        maker = getattr(jax.nn.initializers, value, None)
        if maker is None:
            return "pass an initialiser, as Normal(0.02)"
        call = "" if "key" in inspect.signature(maker).parameters else "()"
        return f"pass the initialiser, jax.nn.initializers.{value}{call}"
    if name == "implementation":
        return "kernels are values: dot_product_attention, ChunkedAttention(), CudnnAttention()"
    kind = _named(value, kinds, name)
    if kind is not None:
        return f"write {kind.__name__}(...), a value instead of its name"
    if name == "activation":
        known = value if callable(getattr(jax.nn, value, None)) else None
        return f"pass the function, {f'jax.nn.{known}' if known else 'as blocks.gelu'}"
    if name.endswith("norm"):
        return "write a block instead of a name, as LayerNorm() or RMSNorm()"
    return None


def _named(text: str, kinds: tuple[Any, ...], slot: str) -> type | None:
    """The class of that name, of the beginning of one, or of what a slot leaves out of it."""
    plain, slot = (name.replace("_", "").replace("-", "").lower() for name in (text, slot))
    known = {kind.__name__.lower(): kind for kind in _below(kinds)}
    if plain in known:
        return known[plain]
    for start in (plain + slot, plain) if plain else ():
        found = [kind for name, kind in known.items() if name.startswith(start)]
        # Every block is a Module: there the beginning of a name says little.
        if found and (len(found) == 1 or start != plain) and (start != plain or not _any(kinds)):
            return found[0]
    return None


def _any(kinds: tuple[Any, ...]) -> bool:
    return nn.Module in kinds


def _below(kinds: tuple[Any, ...]) -> Iterator[type]:
    for kind in kinds:
        if inspect.isclass(kind) and (kind is nn.Module or kind.__module__.startswith("blocks.")):
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
    if module and (isinstance(value, functools.partial) or is_function(value)):
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
