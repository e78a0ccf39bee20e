"""A block as the expression that builds it."""

import dataclasses
from typing import Any

import flax.linen as nn

from blocks.core.modules import fields_of


def expression(block: nn.Module) -> str:
    """Print a block as the expression that builds it, omitting fields left at their defaults."""
    values = fields_of(block)
    parts = [
        f"{field.name}={as_code(values[field.name])}"
        for field in dataclasses.fields(block)
        if field.name in values and values[field.name] != _default(field)
    ]
    line = f"{type(block).__name__}({', '.join(parts)})"
    if len(line) <= 80 and "\n" not in line:
        return line
    indented = "".join(f"    {part},\n" for part in (p.replace("\n", "\n    ") for p in parts))
    return f"{type(block).__name__}(\n{indented})"


def _default(field: dataclasses.Field) -> Any:
    factory = field.default_factory
    return field.default if factory is dataclasses.MISSING else factory()


def as_code(value: Any) -> str:
    """Format a field's value as source code: functions and types by their name."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        shown = ", ".join(as_code(item) for item in value)
        return f"[{shown}]" if isinstance(value, list) else f"({shown}{',' * (len(value) == 1)})"
    return getattr(value, "__name__", None) or repr(value)
