"""Parts of a model in a slot of another block, and the slot where each belongs."""

from typing import Any, NamedTuple


class Role(NamedTuple):
    """What a part of attention does.

    Attributes:
        slot: of attention that holds it.
        changes: what it changes.
    """

    slot: str
    changes: str


_ROLES = {
    "QKTransform": Role("qk", "queries and keys"),
    "ValueTransform": Role("values", "values"),
    "HeadTransform": Role("gate", "what heads give"),
    "ScoreModification": Role("scores", "scores"),
    "Sinks": Role("sinks", "the softmax"),
}


def role_of(value: Any) -> Role | None:
    """What a value does inside attention; None for what is no part of one."""
    bases = (kind.__name__ for kind in type(value).__mro__)
    return next((_ROLES[name] for name in bases if name in _ROLES), None)


def elsewhere(name: str, value: Any, kinds: tuple[Any, ...], fields: tuple[str, ...]) -> str | None:
    """The fix for a part that has its place in another field, or in another block."""
    parts = value if isinstance(value, (list, tuple)) else (value,)
    for part in parts:
        role, kind = role_of(part), type(part).__name__
        if kind in ("LearnedPositions", "SinusoidalPositions") and name == "position":
            return f"{kind} is added to embeddings: TokenEmbedding(position=...)"
        if role is None or role.slot == name:
            continue
        slot = name if name == "position" and role.slot == "qk" else role.slot
        alone = slot in ("position", "gate", "sinks")
        held = f"{slot}={part}" if alone else f"{slot}=({part},)"
        if role.slot in fields:
            return f"{kind} changes {role.changes}: {held}"
        if name == "position" and any(kind.__name__ == "QKTransform" for kind in kinds):
            return f"{kind} changes {role.changes}, which this block has none of; use RoPE() here"
        return f"{kind} works inside attention: MultiHeadAttention({held})"
    return None
