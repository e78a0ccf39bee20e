"""Slots: what a field for a block says of the block's call, and of who runs it.

A slot takes any Linen module that can be called as its owner calls it. The annotation says how:

| slot | called with |
|---|---|
| `Mixer` | `x, context, deterministic`: attention, an MLP, a layer, a stack |
| `Norm` | `x` |
| `Embedding` | `tokens, context, deterministic` |
| `Head` | `x, context, deterministic`, and the table of the embedding where it is tied |
| `Added` | `tokens, context, deterministic`: vectors that an embedding adds |
| `AbsolutePosition` | `x, positions` |
| `GridPosition` | `x`: vectors of patches, row by row |

A slot of an `Adapter` says nothing: the slot that the adapter stands in speaks of its block.

`Template[...]` marks a slot that its owner never runs: it makes copies of it with `fresh`, under
names of their own, as a `Stack` does of its layer.
"""

import dataclasses
import inspect
from typing import Annotated, Any, TypeAlias, TypeVar

import flax.linen as nn

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Called:
    """How a slot's owner calls what is in it.

    Attributes:
        arguments: their names, in the order in which they are passed.
    """

    arguments: tuple[str, ...]

    def __init__(self, *arguments: str) -> None:
        object.__setattr__(self, "arguments", arguments)

    def fits(self, part: Any) -> bool:
        """Whether a part's `__call__` takes these arguments by position."""
        try:
            inspect.signature(type(part).__call__).bind(part, *self.arguments)
        except TypeError:
            return False
        return True


class Copied:
    """Marks a slot that its owner copies and never runs."""


class Adapter:
    """Mixin of blocks that take what their field `block` takes, and give what it gives."""

    block: nn.Module


def adapted(part: Any) -> Any:
    """The part itself, or what is in the adapters around it."""
    while isinstance(part, Adapter):
        part = part.block
    return part


class Inner:
    """Mixin of parts that only slots of their own kind take, as those inside attention."""


Mixer: TypeAlias = Annotated[nn.Module, Called("x", "context", "deterministic")]
Norm: TypeAlias = Annotated[nn.Module, Called("x")]
Embedding: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]
Head: TypeAlias = Annotated[nn.Module, Called("x", "context", "deterministic")]
Added: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]
AbsolutePosition: TypeAlias = Annotated[nn.Module, Called("x", "positions")]
GridPosition: TypeAlias = Annotated[nn.Module, Called("x")]
Template: TypeAlias = Annotated[T, Copied()]
Layers: TypeAlias = Template[Mixer | tuple[Mixer, ...]]
