"""`diff`: what tells two models apart, part by part."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import flax.linen as nn

from blocks.core.errors.location import reported
from blocks.core.expression import as_code
from blocks.core.fields import copied_slots
from blocks.core.modules import fields_of
from blocks.core.parts import part_name
from blocks.core.surgery import check_model

# Longest expression in a row; a longer one is shown by the name of its kind.
_WIDTH = 60


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference between two models.

    Attributes:
        paths: paths of the slots and fields that differ in this way, such as `stack.block.norm`.
        before: what the first model has there; None for nothing.
        after: what the second model has there; None for nothing.
    """

    paths: tuple[str, ...]
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = _brief(self.before), _brief(self.after)
        if before == after:  # Two functions of one name, such as the two forms of GELU.
            before, after = (
                f"{getattr(value, '__module__', type(value).__name__)}.{text}"
                for value, text in ((self.before, before), (self.after, after))
            )
        return f"{before} -> {after}"


@dataclasses.dataclass(frozen=True)
class Diff:
    """Differences between two models: prints as a table, iterates, and is empty for equal ones.

    Attributes:
        changes: the differences, in the order of the fields; equal ones in several places are one.
    """

    changes: tuple[Change, ...]

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __str__(self) -> str:
        if not self.changes:
            return "no difference"
        rows = [(", ".join(change.paths), str(change)) for change in self.changes]
        width = max(len(paths) for paths, _ in rows)
        return "\n".join(f"{paths:{width}}  {change}" for paths, change in rows)

    __repr__ = __str__


@reported
def diff(before: nn.Module, after: nn.Module) -> Diff:
    """Compare two models as values: which slots hold other parts, which fields other numbers.

    Parts of one kind are compared field by field, parts of different kinds are one difference. A
    single block is compared with each block of a pattern. Parts in a tuple are matched by name.

    Args:
        before: a model.
        after: another model.

    Raises:
        TypeError: an argument that is not a block.

    Example:
        ```python
        >>> from blocks import LayerNorm, MLP, MultiHeadAttention, RMSNorm, RoPE, TransformerBlock
        >>> from blocks import diff
        >>> attention = MultiHeadAttention(num_heads=2)
        >>> block = TransformerBlock(attention=attention, mlp=MLP(hidden=8))
        >>> attention = MultiHeadAttention(num_heads=2, position=RoPE())
        >>> diff(block, TransformerBlock(attention=attention, mlp=MLP(hidden=8), norm=RMSNorm()))
        attention.position  None -> RoPE()
        norm                LayerNorm() -> RMSNorm()

        ```
    """
    check_model(before, "diff")
    check_model(after, "diff")
    changes: dict[Any, Change] = {}
    for path, *values in _differences("", before, after):
        key = tuple((type(value), repr(value)) for value in values)
        paths = changes[key].paths if key in changes else ()
        changes[key] = Change((*paths, path), *values)
    return Diff(tuple(changes.values()))


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, the old and the new value of each difference."""
    if type(before) is type(after) and before == after:
        return
    if isinstance(before, nn.Module) and type(before) is type(after):
        copied = copied_slots(type(before))
        old, new = fields_of(before), fields_of(after)
        for name in old:
            compare = _of_patterns if name in copied else _of_parts
            yield from compare(f"{path}.{name}" if path else name, old[name], new[name])
    else:
        yield path, before, after


def _of_patterns(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Differences between the blocks at the same place of two patterns, which repeat."""
    old, new = (v if isinstance(v, tuple) else (v,) for v in (before, after))
    if len(old) != len(new):
        yield path, before, after
    length = math.lcm(len(old), len(new))
    pairs = [(old[i % len(old)], new[i % len(new)]) for i in range(length)]
    for index, pair in enumerate(pairs):
        if pair not in pairs[:index]:
            place = f"{path}_{index}" if length > 1 else path
            yield from _differences(place, *pair)


def _of_parts(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Differences between parts of one name; between the tuples where only their order differs."""
    if not (_is_parts(before) and _is_parts(after)):
        yield from _differences(path, before, after)
        return
    old, new = ({part_name(part): part for part in parts} for parts in (before, after))
    if before != after and old == new:
        yield path, before, after
    for name in old | new:
        yield from _differences(f"{path}.{name}", old.get(name), new.get(name))


def _is_parts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, nn.Module) for part in value)


def _brief(value: Any) -> str:
    """A value as source code, or by its kind where that is long."""
    code = as_code(value)
    if len(code) <= _WIDTH and "\n" not in code:
        return code
    return f"a pattern of {len(value)}" if isinstance(value, tuple) else type(value).__name__
