"""Names of parts, and so of their parameters: by slot or by kind, never by index."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn

from blocks.core.modules import modules_in

# A word starts at a capital that two lowercase letters follow, or come before: `QKNorm` is
# `qk_norm`, and `ALiBi` and `RoPE` are one word each.
_WORD = re.compile(r"(?<!^)(?=[A-Z][a-z]{2})|(?<=[a-z]{2})(?=[A-Z])|(?<=[a-z]\d)(?=[A-Z])")


def part_name(part: nn.Module) -> str:
    """Return the name of a part in a tuple slot: its given name, or its kind in snake case.

    Example:
        ```python
        >>> from blocks import QKNorm
        >>> from blocks.core.parts import part_name
        >>> part_name(QKNorm()), part_name(QKNorm(name="second_norm"))
        ('qk_norm', 'second_norm')

        ```
    """
    return part.name or _WORD.sub("_", type(part).__name__).lower()


def check_names(slots: Mapping[str, Any], owner: str) -> None:
    """Refuse two parts of one block with the same name.

    Args:
        slots: values of the fields whose parts the block runs.
        owner: name of the block in messages.

    Raises:
        ValueError: names both.
    """
    seen = {name: value for name, value in slots.items() if isinstance(value, nn.Module)}
    for part in _in_tuples(slots):
        name = part_name(part)
        if name in seen:
            raise ValueError(
                f"{owner} holds two parts named `{name}`, {seen[name]} and {part}; "
                f"give one of them a name of its own: {_renamed(part, name)}."
            )
        seen[name] = part


def taken(name: str, slots: Mapping[str, Any]) -> str:
    """Say which of a block's parts has a name that the block gives to another, when it runs."""
    for part in _in_tuples(slots):
        if part_name(part) == name:
            return (
                f"the name `{name}` is taken inside, by a part or parameter of the block's own; "
                f"give the part another: {_renamed(part, name)}."
            )
    other = f", one of them in the slot `{name}`" if name in slots else ""
    return f"two parts or parameters are named `{name}`{other}; give each a name of its own."


def _in_tuples(slots: Mapping[str, Any]) -> Iterator[nn.Module]:
    for value in slots.values():
        if isinstance(value, tuple):
            yield from (part for _, part in modules_in(value, ""))


def _renamed(part: nn.Module, name: str) -> str:
    return f'{type(part).__name__}(name="second_{name}", ...)'
