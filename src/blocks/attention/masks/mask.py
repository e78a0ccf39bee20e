"""What a mask is, and how masks combine.

A mask knows a rule, not an array: it is evaluated where tokens stand, so the same value serves a
whole sequence, a chunk of one, and a cache.
"""

import dataclasses

from blocks.context import Coordinates
from blocks.core.errors.making import Reporting
from blocks.core.errors.tracebacks import ending
from blocks.core.fields import check_types
from blocks.core.typing import Array, Bool


class Mask(metaclass=Reporting):
    """A rule for which query sees which key; `&`, `|` and `~` combine rules."""

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

    def __post_init__(self) -> None:
        """Checks the fields."""
        check_types(self, vars(self))

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


@dataclasses.dataclass(frozen=True, repr=False)
class And(Mask):
    """Sees what both masks let through."""

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


@dataclasses.dataclass(frozen=True, repr=False)
class Or(Mask):
    """Sees what either mask lets through."""

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


@dataclasses.dataclass(frozen=True, repr=False)
class Not(Mask):
    """Sees what the mask hides."""

    mask: Mask

    def __repr__(self) -> str:
        return f"~{self.mask}"

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """The complement."""
        return ~self.mask(query, key)
