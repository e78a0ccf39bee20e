"""The modules in the fields of a block: found, with their paths, and replaced."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn


def fields_of(module: nn.Module) -> dict[str, Any]:
    """The constructor's fields by name, without Linen's own `parent` and `name`."""
    return {name: getattr(module, name) for name in _names(type(module))}


@functools.cache
def _names(kind: type[nn.Module]) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.name not in ("parent", "name")
    )


def map_modules(value: Any, function: Callable[[nn.Module], Any]) -> Any:
    """Apply `function` to the modules in a field's value: one, or a container of them."""
    if isinstance(value, nn.Module):
        return function(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        mapped = [map_modules(item, function) for item in value]
        changed = any(new is not old for new, old in zip(mapped, value, strict=True))
        return type(value)(mapped) if changed else value
    if isinstance(value, dict):
        mapped = {key: map_modules(item, function) for key, item in value.items()}
        return mapped if any(mapped[key] is not value[key] for key in value) else value
    return value


def modules_in(value: Any, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules in a field's value, each with its path: `block_0` in a tuple `block`."""
    if isinstance(value, nn.Module):
        yield path, value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from modules_in(item, f"{path}_{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from modules_in(item, f"{path}_{key}")
