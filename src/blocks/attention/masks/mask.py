"""What a mask is, and how masks combine.

A mask knows a rule, not an array: it is evaluated where tokens stand, so the same value serves a
whole sequence, a chunk of one, and a cache.
"""

from typing import Any

from blocks.attention.masks.probe import probe
from blocks.context import Coordinates
from blocks.core.errors.tracebacks import ending
from blocks.core.typing import Array, Bool
from blocks.core.values import Value, is_ours


class Mask(Value):
    """A rule for which query sees which key; `&`, `|` and `~` combine rules.

    A mask of one's own is a subclass with fields and a `__call__`, and no decorator. When one is
    made it is tried on a few tokens: what it gives must have the shape of a mask, and where it says
    that it is `causal` or has a `lookback`, no query may see more.

    Raises:
        TypeError: a field that cannot hold its value, or a `__call__` that gives no mask.
        ValueError: a query that sees what `causal` or `lookback` says it cannot.

    Example:
        ```python
        >>> from blocks import Causal, Mask
        >>> class Every(Mask):
        ...     step: int = 2
        ...
        ...     def __call__(self, query, key):
        ...         distance = query.positions[:, None, :, None] - key.positions[:, None, None, :]
        ...         return distance % self.step == 0
        >>> Causal() & Every(step=3)
        (Causal() & Every(step=3))

        ```
    """

    def __post_init__(self) -> None:
        """Checks the fields, then what the mask says of itself."""
        super().__post_init__()
        if not is_ours(type(self)):
            probe(self)

    @property
    def causal(self) -> bool:
        """Whether no query can see a key that comes after it."""
        return False

    @property
    def lookback(self) -> int | None:
        """How many positions before its own a query can see at most; None where no number says."""
        return None

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """True where the query may see the key."""
        raise TypeError(f"{type(self).__name__} defines no rule: give it a `__call__`.")

    @staticmethod
    def instead_of(value: Any) -> str | None:
        """The fix for what was given in the place of a mask; errors of fields show it."""
        rule = "a mask is a rule, as Causal(); padding comes with the call, Context(valid=...)"
        return rule if hasattr(value, "shape") else None

    @ending
    def __bool__(self) -> bool:
        raise TypeError(
            "a mask is neither true nor false: combine masks with `&`, `|` and `~` instead of "
            "`and`, `or` and `not`."
        )

    def __and__(self, other: "Mask") -> "Mask":
        return And(self, other)

    def __or__(self, other: "Mask") -> "Mask":
        return Or(self, other)

    def __invert__(self) -> "Mask":
        return Not(self)


class And(Mask):
    """Lets through what both masks do."""

    left: Mask
    right: Mask

    def __repr__(self) -> str:
        return f"({self.left} & {self.right})"

    @property
    def causal(self) -> bool:
        """When either is."""
        return self.left.causal or self.right.causal

    @property
    def lookback(self) -> int | None:
        """The smaller."""
        return min(
            (r for r in (self.left.lookback, self.right.lookback) if r is not None), default=None
        )

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """The intersection."""
        return self.left(query, key) & self.right(query, key)


class Or(Mask):
    """Lets through what either mask does."""

    left: Mask
    right: Mask

    def __repr__(self) -> str:
        return f"({self.left} | {self.right})"

    @property
    def causal(self) -> bool:
        """When both are."""
        return self.left.causal and self.right.causal

    @property
    def lookback(self) -> int | None:
        """The larger, if both have one."""
        left, right = self.left.lookback, self.right.lookback
        return None if left is None or right is None else max(left, right)

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """The union."""
        return self.left(query, key) | self.right(query, key)


class Not(Mask):
    """Lets through what the mask hides."""

    mask: Mask

    def __repr__(self) -> str:
        return f"~{self.mask}"

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """The complement."""
        return ~self.mask(query, key)
