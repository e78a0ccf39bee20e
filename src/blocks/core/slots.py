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


class Inner:
    """Mixin of parts that only slots of their own kind take, as those inside attention."""


Mixer: TypeAlias = Annotated[nn.Module, Called("x", "context", "deterministic")]
Norm: TypeAlias = Annotated[nn.Module, Called("x")]
Embedding: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]
Head: TypeAlias = Annotated[nn.Module, Called("x", "context", "deterministic")]
Added: TypeAlias = Annotated[nn.Module, Called("tokens", "context", "deterministic")]
AbsolutePosition: TypeAlias = Annotated[nn.Module, Called("x", "positions")]
Template: TypeAlias = Annotated[T, Copied()]
Layers: TypeAlias = Template[Mixer | tuple[Mixer, ...]]
