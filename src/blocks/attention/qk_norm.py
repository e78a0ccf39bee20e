"""Norms of queries and keys, which bound their products."""

import flax.linen as nn

from blocks.attention.slots import QKTransform
from blocks.context import Coordinates
from blocks.core.block import fresh
from blocks.core.typing import Array, Float, typed
from blocks.norms.rms_norm import RMSNorm


class QKNorm(QKTransform, kw_only=True):
    r"""Normalises each head of queries and of keys: $q \leftarrow \mathrm{norm}(q)$, $k$ likewise.

    In `transforms` it stands before the rotation that `position` holds; to normalise after, put
    the rotation into `transforms` before it.

    Attributes:
        norm: template of the two norms, over the features of a head; all heads share it.

    Example:
        ```python
        >>> from blocks import LayerNorm, MultiHeadAttention, QKNorm, RoPE
        >>> before = MultiHeadAttention(num_heads=4, transforms=(QKNorm(),), position=RoPE())
        >>> after = MultiHeadAttention(num_heads=4, transforms=(RoPE(), QKNorm()))

        ```

    References:
        Henry et al., Query-Key Normalization for Transformers, 2020, arXiv:2010.04245.
        Dehghani et al., Scaling Vision Transformers to 22 Billion Parameters, 2023,
        arXiv:2302.05442.
    """

    norm: nn.Module = RMSNorm()

    @nn.compact
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
        """Normalises over `head_dim`."""
        return fresh(self.norm, name="query")(query), fresh(self.norm, name="key")(key)


class FullWidthQKNorm(QKTransform, kw_only=True):
    r"""Normalises all heads of queries together, and all of keys, before they are told apart.

    Attributes:
        norm: template of the two norms, over `heads * head_dim` features.

    Example:
        ```python
        >>> from blocks import FullWidthQKNorm, MultiHeadAttention
        >>> olmo = MultiHeadAttention(num_heads=4, transforms=(FullWidthQKNorm(),))

        ```

    References:
        OLMo Team, 2 OLMo 2 Furious, 2024, arXiv:2501.00656.
    """

    norm: nn.Module = RMSNorm()

    @nn.compact
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
        """Normalises over heads and `head_dim`."""
        return self._normalised("query", query), self._normalised("key", key)

    def _normalised(self, name: str, x: Array) -> Array:
        return fresh(self.norm, name=name)(x.reshape(*x.shape[:2], -1)).reshape(x.shape)
