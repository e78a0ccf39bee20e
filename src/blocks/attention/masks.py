"""Masks as values: which key a query may see, written as `Causal() & SlidingWindow(1024)`.

A mask knows a rule, not an array: it is evaluated where tokens stand, so the same value serves a
whole sequence, a chunk of one, and a cache.
"""

import dataclasses

import jax.numpy as jnp

from blocks.context import Coordinates
from blocks.fields import check_types
from blocks.typing import Array, Bool, typed


class Mask:
    """A rule for which query sees which key; `&`, `|` and `~` combine rules."""

    @property
    def causal(self) -> bool:
        """Whether no query can see a key that comes after it."""
        return False

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """True where the query may see the key."""
        raise TypeError(f"{type(self).__name__} defines no rule: give it a `__call__`.")

    def __post_init__(self) -> None:
        """Checks the fields."""
        check_types(self, vars(self))

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


@dataclasses.dataclass(frozen=True)
class Causal(Mask):
    """Sees itself and what came before.

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.3.
    """

    @property
    def causal(self) -> bool:
        """Always."""
        return True

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compares the order in which tokens came, whatever positions they were given."""
        return key.order[:, None, None, :] <= query.order[:, None, :, None]


@dataclasses.dataclass(frozen=True)
class SlidingWindow(Mask):
    """Sees the tokens less than `window` positions away, on both sides; `Causal() &` drops one.

    Attributes:
        window: tokens seen on each side, the query itself among them.

    Raises:
        ValueError: a window below 1, through which nothing could be seen.

    References:
        Beltagy et al., Longformer, 2020, arXiv:2004.05150.
    """

    window: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise ValueError(f"window={self.window} must be at least 1, the token itself.")

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compares positions."""
        distance = query.positions[:, None, :, None] - key.positions[:, None, None, :]
        return jnp.abs(distance) < self.window


@dataclasses.dataclass(frozen=True)
class Padding(Mask):
    """Sees real tokens only: those that the call's `context.valid` marks.

    Attention applies it to every call that brings `valid`; written out, it insists on one.

    Raises:
        ValueError: the call brings no `valid`.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Looks at the keys alone."""
        if key.valid is None:
            raise ValueError("Padding() needs to know the padding; call with Context(valid=...).")
        return key.valid[:, None, None, :]


@dataclasses.dataclass(frozen=True)
class Segments(Mask):
    """Sees tokens of its own document only, by the call's `context.segments`.

    Attention applies it to every call that brings `segments`; written out, it insists on them.

    Raises:
        ValueError: the call brings no `segments`.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compares document numbers."""
        if query.segments is None or key.segments is None:
            raise ValueError("Segments() needs documents; call with Context(segments=...).")
        return query.segments[:, None, :, None] == key.segments[:, None, None, :]


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


def visible(
    mask: Mask | None, query: Coordinates, key: Coordinates
) -> Bool[Array, "#batch 1 #q_seq kv_seq"] | None:
    """Which keys may be seen: by the mask, by padding and by segments. None where all may."""
    rules = [] if mask is None else [mask]
    if key.valid is not None:
        rules.append(Padding())
    if key.segments is not None and query.segments is not None:
        rules.append(Segments())
    if not rules:
        return None
    seen = rules[0](query, key)
    for rule in rules[1:]:
        seen = seen & rule(query, key)
    return seen
