"""cuDNN's fused attention, for NVIDIA GPUs."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from blocks.attention.kernels.support import Support, call_of, platform, require
from blocks.attention.masks import And, Causal, Mask, visible
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.typing import Array, Float, Key, typed


@typed
def fused_attention(
    query: Float[Array, "batch q_seq heads head_dim"],
    key: Float[Array, "batch kv_seq kv_heads head_dim"],
    value: Float[Array, "batch kv_seq kv_heads head_dim"],
    query_at: Coordinates,
    key_at: Coordinates,
    *,
    mask: Mask | None = None,
    scale: float | None = None,
    implementation: Literal["cudnn", "xla"] = "cudnn",
) -> Float[Array, "batch q_seq heads head_dim"]:
    """Call `jax.nn.dot_product_attention`, with zeros for queries that no key is visible to.

    `Causal()` within one call becomes the kernel's causal mode, which skips hidden pairs; the rest
    of a mask, padding and documents become an array.
    """
    # One array of order on both sides: query i and key i are one token, as causal mode assumes.
    causal, rest = _split(mask) if query_at.order is key_at.order else (False, mask)
    array = visible(rest, query_at, key_at)
    if array is not None:
        array = jnp.broadcast_to(array, (array.shape[0], 1, query.shape[1], key.shape[1]))
    mixed = jax.nn.dot_product_attention(
        query, key, value, mask=array, scale=scale, is_causal=causal, implementation=implementation
    )
    everything = visible(mask, query_at, key_at)
    if array is None or everything is None:
        return mixed  # causal at most, and every token is visible to itself
    some = jnp.broadcast_to(everything, array.shape).any(axis=-1)
    return jnp.where(jnp.swapaxes(some, 1, 2)[..., None], mixed, 0.0).astype(value.dtype)


def _split(mask: Mask | None) -> tuple[bool, Mask | None]:
    """Split a mask into whether it contains `Causal()`, and the rest of it."""
    if isinstance(mask, Causal):
        return True, None
    if not isinstance(mask, And):
        return False, mask
    (left_causal, left), (right_causal, right) = _split(mask.left), _split(mask.right)
    both = right if left is None else left if right is None else And(left, right)
    return left_causal or right_causal, both


@dataclasses.dataclass(frozen=True)
class CudnnAttention:
    """cuDNN's fused attention kernel, for NVIDIA GPUs only, in bfloat16 or float16.

    It supports grouped queries, any mask and any scale, but no score modifications, sinks or
    dropout. `Auto` chooses it where it can. A mask other than `Causal()` is passed as an array of
    `q_seq * kv_seq`, as padding and documents are, and lengths must then be even.

    Raises:
        ValueError: a call that it does not support, with what to use instead; already when
            `MultiHeadAttention` is constructed where this is known.

    Example:
        ```python
        >>> from blocks import CudnnAttention, MultiHeadAttention, SoftCap
        >>> fused = CudnnAttention()
        >>> MultiHeadAttention(num_heads=4, implementation=fused, scores=(SoftCap(cap=50.0),))
        Traceback (most recent call last):
        ...
        ValueError: MultiHeadAttention: implementation=CudnnAttention() does not support ...

        ```

    References:
        Dao, FlashAttention-2, 2023, arXiv:2307.08691; `jax.nn.dot_product_attention` in JAX's
        documentation.
    """

    @property
    def support(self) -> Support:
        """Declare what passes the checks that JAX makes before it calls cuDNN."""
        return Support(
            modifications=False,
            sinks=False,
            dropout=False,
            value_dim=False,
            odd_lengths=False,
            head_dim_multiple=8,
            head_dim_limit=_head_dim_limit(),
            dtypes=("bfloat16", "float16"),
            platforms=("cuda",),
        )

    @typed
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
        modifications: tuple[Modification, ...] = (),
        sinks: Float[Array, "heads"] | None = None,
        dropout_rate: float = 0.0,
        dropout_key: Key[Array, ""] | None = None,
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Attend from every query to the keys that are visible to it."""
        options = {
            "mask": mask,
            "modifications": modifications,
            "sinks": sinks,
            "dropout_rate": dropout_rate,
        }
        require(self, call_of(query, key, value, query_at, key_at, **options))
        return fused_attention(query, key, value, query_at, key_at, mask=mask, scale=scale)


def _head_dim_limit() -> int:
    """Maximum head size: 256 from compute capability 9.0 (Hopper), else 128; 256 without a GPU."""
    if platform() != "cuda":
        return 256
    capability = getattr(jax.local_devices()[0], "compute_capability", "9.0")
    return 256 if int(capability.split(".")[0]) >= 9 else 128
