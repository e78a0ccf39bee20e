"""What the parts of a model read of a call's context: what none of them would is refused."""

import inspect
from collections.abc import Iterator

import flax.linen as nn

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.fields import field_hints
from blocks.core.modules import fields_of, modules_in
from blocks.core.slots import Inner

_CROSS = "give its layers a cross_attention=CrossAttention(...)"
_READERS = {
    "memory": _CROSS,
    "memory_valid": _CROSS,
    "memory_segment_ids": _CROSS,
    "condition": "give its layers a residual=AdaptiveNormZero()",
    "x0": "give its layers a residual=X0Mix()",
    "tokens": "give its attention values=(ValueEmbedding(...),)",
    "token_type_ids": "give its embedding added=(TokenTypes(...),)",
    "extras": "put a block of your own that does in one of its slots",
}


def refuse_unread(model: nn.Module, context: Context) -> None:
    """Refuse what a call gives and no part of a model reads.

    Raises:
        ValueError: names the field of the context, and a block that reads it.
    """
    for name in _unread(model, context):
        raise ValueError(
            f"{name} is given, and no part of {type(model).__name__} reads it; {_READERS[name]}, "
            f"or leave {name} out of the context."
        )


def read_by(model: nn.Module, context: Context) -> Context:
    """The context without what no part of a model reads, where another model may."""
    defaults = Context()
    return context.replace(**{name: getattr(defaults, name) for name in _unread(model, context)})


def _unread(model: nn.Module, context: Context) -> list[str]:
    given = [name for name in _READERS if _is_given(getattr(context, name))]
    if not given:
        return []
    parts = [*_given_context(model)]
    if not all(map(_says_what_it_reads, parts)):
        return []
    read = frozenset().union(*(part.reads for part in parts if isinstance(part, Block)))
    return [name for name in given if name not in read]


def _given_context(module: nn.Module) -> Iterator[nn.Module]:
    """A module and the parts in it, but for those that are never given a context, as norms."""
    if not _takes_context(module):
        return
    yield module
    hints = field_hints(type(module))
    for name, value in fields_of(module).items():
        called = hints[name].called
        if called is None or "context" in called.arguments:
            for _, part in modules_in(value, name):
                yield from _given_context(part)


def _takes_context(part: nn.Module) -> bool:
    """Whether a part can be called with more than `x`, or is given its inputs by attention."""
    _, *arguments = inspect.signature(type(part).__call__).parameters.values()
    several = any(argument.kind in _SEVERAL for argument in arguments)
    return len(arguments) > 1 or several or isinstance(part, Inner)


_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _is_given(value: object) -> bool:
    return bool(value) if hasattr(value, "items") else value is not None


def _says_what_it_reads(part: nn.Module) -> bool:
    """Whether a part's class is of this library or of Flax, or declares `reads` itself."""
    for kind in type(part).__mro__:
        if kind.__module__.partition(".")[0] in ("blocks", "flax"):
            return kind is type(part)
        if "reads" in vars(kind):
            return True
    return False
