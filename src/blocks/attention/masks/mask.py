"""`Mask`, the base of masks, and how masks combine.

A mask is a rule, not an array: it is evaluated on the coordinates of tokens, so the same value
serves a whole sequence, a chunk of one, and a cache.
"""

from typing import Any

from blocks.attention.masks.probe import probe
from blocks.context import Coordinates
from blocks.core.errors.habits import MASK
from blocks.core.errors.location import Location
from blocks.core.typing import Array, Bool
from blocks.core.values import Value, is_ours


class Mask(Value):
    """Base class for masks: rules for which keys are visible, combined by `&`, `|` and `~`.

    A custom mask is a subclass with fields and a `__call__`, without a decorator. When one is made
    it is tested on a few tokens: its result must have the shape of a mask, and must not exceed what
    the mask claims by `causal` and `lookback`.

    Raises:
        TypeError: a field that cannot hold its value, or a `__call__` that does not return a mask.
        ValueError: a key that is visible although `causal` or `lookback` excludes it.

    Example:
        ```python
        >>> from blocks import Causal
        >>> from blocks.attention.masks import Mask
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
        """Check the fields, then the claims of the mask."""
        super().__post_init__()
        if not is_ours(type(self)):
            probe(self)

    @property
    def causal(self) -> bool:
        """Whether every key after its query is hidden."""
        return False

    @property
    def lookback(self) -> int | None:
        """Maximum number of earlier positions that are visible to a query; None for no bound."""
        return None

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return True where the key is visible to the query."""
        raise TypeError(f"{type(self).__name__} defines no rule: give it a `__call__`.")

    @staticmethod
    def instead_of(value: Any) -> str | None:
        """Return the fix to show where a field for a mask holds `value` instead."""
        return MASK if hasattr(value, "shape") else None

    @Location("")
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
    """Intersection of two masks: visible where both masks agree."""

    left: Mask
    right: Mask

    def __repr__(self) -> str:
        return f"({self.left} & {self.right})"

    @property
    def causal(self) -> bool:
        """True if either mask is causal."""
        return self.left.causal or self.right.causal

    @property
    def lookback(self) -> int | None:
        """The smaller lookback of the two."""
        return min(
            (r for r in (self.left.lookback, self.right.lookback) if r is not None), default=None
        )

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return where both masks are True."""
        return self.left(query, key) & self.right(query, key)


class Or(Mask):
    """Union of two masks: visible where either mask says so."""

    left: Mask
    right: Mask

    def __repr__(self) -> str:
        return f"({self.left} | {self.right})"

    @property
    def causal(self) -> bool:
        """True if both masks are causal."""
        return self.left.causal and self.right.causal

    @property
    def lookback(self) -> int | None:
        """The larger lookback of the two, if both have one."""
        left, right = self.left.lookback, self.right.lookback
        return None if left is None or right is None else max(left, right)

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return where either mask is True."""
        return self.left(query, key) | self.right(query, key)


class Not(Mask):
    """Complement of a mask: visible where the mask hides."""

    mask: Mask

    def __repr__(self) -> str:
        return f"~{self.mask}"

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return where the mask is False."""
        return ~self.mask(query, key)
