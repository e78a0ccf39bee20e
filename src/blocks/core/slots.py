"""Slots: annotations of fields for blocks, which tell how the block is called and who runs it.

A slot accepts any Linen module that can be called as its owner calls it:

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

`Template[...]` marks a slot whose part is never run itself: its owner runs copies, made with
`fresh` under other names, as a `Stack` does with its layer.
"""

import dataclasses
import inspect
from typing import Annotated, Any, TypeAlias, TypeVar

import flax.linen as nn

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Called:
    """Mark of a slot: the arguments that its owner passes to the part in it.

    Attributes:
        arguments: names of the positional arguments, in order.
    """

    arguments: tuple[str, ...]

    def __init__(self, *arguments: str) -> None:
        object.__setattr__(self, "arguments", arguments)

    def fits(self, part: Any) -> bool:
        """Return whether a part's `__call__` accepts these arguments by position."""
        try:
            inspect.signature(type(part).__call__).bind(part, *self.arguments)
        except TypeError:
            return False
        return True


class Copied:
    """Mark of a slot whose part its owner copies and never runs."""


class Adapter:
    """Mixin of blocks that take what their field `block` takes, and give what it gives."""

    block: nn.Module


def adapted(part: Any) -> Any:
    """The part itself, or what is in the adapters around it."""
    while isinstance(part, Adapter):
        part = part.block
    return part


class Inner:
    """Mixin for parts that fit only slots of their own kind, such as those inside attention."""


Mixer: TypeAlias = Annotated[nn.Module, Called("x", "context", "deterministic")]
Norm: TypeAlias = Annotated[nn.Module, Called("x")]
Embedding: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]
Head: TypeAlias = Annotated[nn.Module, Called("x", "context", "deterministic")]
Added: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]
AbsolutePosition: TypeAlias = Annotated[nn.Module, Called("x", "positions")]
GridPosition: TypeAlias = Annotated[nn.Module, Called("x")]
Template: TypeAlias = Annotated[T, Copied()]
Layers: TypeAlias = Template[Mixer | tuple[Mixer, ...]]
