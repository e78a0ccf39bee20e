"""Names of parts, and so of their parameters: by slot or by kind, never by index."""

import re
from collections.abc import Iterable, Iterator

import flax.linen as nn

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


def named(parts: Iterable[nn.Module], owner: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts of a tuple slot with their names, which do not depend on the order.

    Args:
        parts: parts in one block's tuple slots.
        owner: name of their owner in messages.

    Raises:
        ValueError: two parts with the same name.
    """
    seen: dict[str, nn.Module] = {}
    for part in parts:
        name = part_name(part)
        if name in seen:
            kind = type(part).__name__
            raise ValueError(
                f"{owner} holds two parts named `{name}`, {seen[name]} and {part}; "
                f'give one of them a name of its own: {kind}(name="second_{name}", ...).'
            )
        seen[name] = part
        yield name, part
