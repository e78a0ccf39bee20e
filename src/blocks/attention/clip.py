"""Bounds of queries, keys and values, as some large models were trained with."""

import jax.numpy as jnp

from blocks.attention.slots import QKTransform, ValueTransform
from blocks.context import Context, Coordinates
from blocks.core.typing import Array, Float, typed


def _check_limit(limit: float) -> None:
    if limit <= 0.0:
        raise ValueError(f"limit={limit} must be positive; OLMo and MPT models have 6 or 8.")


class ClipQK(QKTransform, kw_only=True):
    r"""Bounds every entry of queries and keys: $q \leftarrow \mathrm{clip}(q, -c, c)$, so too $k$.

    First among `transforms` it bounds what the projections give, before norms and rotation.

    Attributes:
        limit: the bound $c$.

    Raises:
        ValueError: a bound that is not positive.

    Example:
        ```python
        >>> from blocks import ClipQK, ClipValue, MultiHeadAttention, RoPE
        >>> clips = (ClipQK(limit=8.0), ClipValue(limit=8.0))
        >>> attention = MultiHeadAttention(num_heads=4, transforms=clips, position=RoPE())

        ```

    References:
        MosaicML, MPT-7B, 2023 (`clip_qkv` of its configuration).
        Groeneveld et al., OLMo, 2024, arXiv:2402.00838.
    """

    limit: float

    def check_fields(self) -> None:
        """Refuses a bound that nothing fits under."""
        _check_limit(self.limit)

    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Bounds both."""
        return jnp.clip(query, -self.limit, self.limit), jnp.clip(key, -self.limit, self.limit)


class ClipValue(ValueTransform, kw_only=True):
    r"""Bounds every entry of values: $v \leftarrow \mathrm{clip}(v, -c, c)$; see `ClipQK`.

    Attributes:
        limit: the bound $c$.

    Raises:
        ValueError: a bound that is not positive.

    Example:
        ```python
        >>> from blocks import ClipValue
        >>> ClipValue(limit=8.0)
        ClipValue(limit=8.0)

        ```

    References:
        MosaicML, MPT-7B, 2023 (`clip_qkv` of its configuration).
        Groeneveld et al., OLMo, 2024, arXiv:2402.00838.
    """

    limit: float

    def check_fields(self) -> None:
        """Refuses a bound that nothing fits under."""
        _check_limit(self.limit)

    @typed
    def __call__(
        self,
        value: Float[Array, "batch kv_seq kv_heads value_dim"],
        context: Context | None = None,
    ) -> Float[Array, "batch kv_seq kv_heads value_dim"]:
        """Bounds values."""
        return jnp.clip(value, -self.limit, self.limit)
