"""The signature of attention kernels.

A kernel takes a mask and score changes as rules and coordinates, not as finished arrays, so that
one that works chunk by chunk can evaluate them where it needs them.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from blocks.attention.masks import Mask
from blocks.context import Coordinates
from blocks.core.typing import Array, Float, Key

ScoreFunction: TypeAlias = Callable[[Array, Coordinates, Coordinates], Array]


@runtime_checkable
class Kernel(Protocol):
    """The signature of every kernel; `dot_product_attention` is the reference.

    Scores are scaled, then changed in order, then masked. `sinks` are one further logit per head,
    which joins the softmax after all that and has no value. A row that sees nothing gives zeros.

    A kernel that cannot serve every call says so in an attribute `support`; see `Support`.
    """

    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        value: Float[Array, "batch kv_seq kv_heads value_dim"],
        query_at: Coordinates,
        key_at: Coordinates,
        *,
        mask: Mask | None = None,
        scale: float | None = None,
        changes: tuple[ScoreFunction, ...] = (),
        sinks: Float[Array, "heads"] | None = None,
        dropout_rate: float = 0.0,
        dropout_key: Key[Array, ""] | None = None,
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Attends from every query to the keys that it may see."""
        ...
