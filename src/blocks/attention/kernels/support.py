"""Capabilities of kernels: declared as values, checked early, shown as a table in the docs."""

import dataclasses
from typing import Any

import jax

from blocks.attention.masks import Causal, Mask, visible
from blocks.attention.scores import Modification, ScoreModification
from blocks.context import Coordinates
from blocks.core.devices import platform


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelCall:
    """Properties of a call that a kernel must support; None where one is not known yet.

    Attributes:
        batch: number of independent sequences.
        heads: number of query heads.
        q_seq: number of queries.
        kv_seq: number of keys.
        head_dim: features of a query.
        value_dim: features of a value.
        dtype: name of the values' dtype.
        mask: which keys are visible to which queries.
        padded: whether padding, documents or free slots of a cache hide more than the mask does.
        modifications: score modifications.
        sinks: whether logits without a value join the softmax.
        dropout: whether weights are dropped.
        platform: `cpu`, `cuda`, `rocm` or `tpu`.
    """

    batch: int = 1
    heads: int = 1
    q_seq: int | None = None
    kv_seq: int | None = None
    head_dim: int | None = None
    value_dim: int | None = None
    dtype: str | None = None
    mask: Mask | None = None
    padded: bool = False
    modifications: tuple[ScoreModification, ...] = ()
    sinks: bool = False
    dropout: bool = False
    platform: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Support:
    """Capabilities of a kernel; by default everything, on every platform.

    Attributes:
        modifications: supported score modifications: all, none, or those of some kinds.
        sinks: whether logits without a value may join the softmax.
        dropout: whether weights may be dropped.
        value_dim: whether values may have another width than keys.
        odd_lengths: whether the number of queries or keys may be odd with any mask; if False, only
            under `Causal()` alone.
        head_dim_multiple: number that the features of a head must be a multiple of.
        head_dim_limit: maximum features of a head; None for no limit.
        dtypes: names of supported dtypes; None for all.
        platforms: names of supported platforms; None for all.
    """

    modifications: bool | tuple[type[ScoreModification], ...] = True
    sinks: bool = True
    dropout: bool = True
    value_dim: bool = True
    odd_lengths: bool = True
    head_dim_multiple: int = 1
    head_dim_limit: int | None = None
    dtypes: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None

    def modifies(self, modification: ScoreModification) -> bool:
        """Return whether a score modification is supported."""
        if isinstance(self.modifications, tuple):
            return isinstance(modification, self.modifications)
        return self.modifications

    def refusal(self, call: KernelCall) -> str | None:
        """Name the unsupported part of a call, in words that follow "does not support"; or None."""
        odd = [n for n in (call.q_seq, call.kv_seq) if n is not None and n % 2]
        needs_array = call.padded or call.mask not in (None, Causal())
        size, limit = call.head_dim, self.head_dim_limit
        for modification in call.modifications:
            if not self.modifies(modification):
                return f"the score modification {modification}"
        if call.sinks and not self.sinks:
            return "sinks"
        if call.dropout and not self.dropout:
            return "dropout of attention weights"
        if not self.value_dim and None not in (size, call.value_dim) and size != call.value_dim:
            return f"values of another width than keys, {call.value_dim} and {size}"
        if odd and needs_array and not self.odd_lengths:
            hidden = "with padding or documents" if call.padded else f"under mask={call.mask}"
            return f"an odd length, {odd[0]}, {hidden}"
        if size is not None and size % self.head_dim_multiple:
            return f"head_dim={size}, which is no multiple of {self.head_dim_multiple}"
        if size is not None and limit is not None and size > limit:
            return f"head_dim={size}, which is above {limit}"
        if self.dtypes is not None and call.dtype not in (None, *self.dtypes):
            return f"{call.dtype}, only {' and '.join(self.dtypes)}"
        if self.platforms is not None and call.platform not in (None, *self.platforms):
            return f"the platform {call.platform}, only {' and '.join(self.platforms)}"
        return None


def support_of(kernel: Any) -> Support:
    """Capabilities of a kernel; one that declares none is taken to support everything."""
    return getattr(kernel, "support", None) or Support()


def require(kernel: Any, call: KernelCall) -> None:
    """Refuse a kernel for a call that it does not support.

    Raises:
        ValueError: names the kernel, what it does not support, and what to use instead.
    """
    refusal = support_of(kernel).refusal(call)
    if refusal is not None:
        raise ValueError(
            f"implementation={kernel} does not support {refusal}; "
            "use ChunkedAttention() or dot_product_attention, or Auto(), which chooses."
        )


def call_of(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    query_at: Coordinates,
    key_at: Coordinates,
    *,
    mask: Mask | None = None,
    modifications: tuple[Modification, ...] = (),
    sinks: jax.Array | None = None,
    dropout_rate: float = 0.0,
    **_: Any,
) -> KernelCall:
    """Describe a call with these arguments on the current platform."""
    return KernelCall(
        batch=query.shape[0],
        heads=query.shape[2],
        q_seq=query.shape[1],
        kv_seq=key.shape[1],
        head_dim=query.shape[3],
        value_dim=value.shape[3],
        dtype=value.dtype.name,
        mask=mask,
        padded=visible(None, query_at, key_at) is not None,
        modifications=tuple(modification.block for modification in modifications),
        sinks=sinks is not None,
        dropout=dropout_rate > 0.0,
        platform=platform(),
    )
