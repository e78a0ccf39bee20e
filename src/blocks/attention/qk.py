"""Transforms of queries and keys before their product: norms and bounds."""

from typing import Annotated, TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.core.block import Block, fresh
from blocks.core.bounds import positive
from blocks.core.slots import Inner, Norm, Template
from blocks.core.typing import Array, Float, typed
from blocks.norms.rms_norm import RMSNorm


class QKTransform(Inner, Block, kw_only=True):
    """Base class for transforms of queries and keys before their product.

    Those in `qk` are applied in order, and the one in `position` last.
    """

    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Transform new queries and keys; cached keys were transformed when they were new."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class QKNorm(QKTransform, kw_only=True):
    r"""Query-key norm on each head: $q \leftarrow \mathrm{norm}(q)$, and $k$ likewise.

    In `qk` it is applied before the rotation in `position`; to normalise after the rotation, put
    both into `qk`.

    Attributes:
        norm: template of the two norms, over the features of a head.
        shared: let heads share the norms' parameters; False gives each head its own, as in
            Command-R+ and StableLM 2 12B.

    Example:
        ```python
        >>> from blocks import LayerNorm, MultiHeadAttention, QKNorm, RoPE
        >>> before = MultiHeadAttention(num_heads=4, qk=(QKNorm(),), position=RoPE())
        >>> after = MultiHeadAttention(num_heads=4, qk=(RoPE(), QKNorm()))

        ```

    References:
        Henry et al., Query-Key Normalization for Transformers, 2020, arXiv:2010.04245.
        Dehghani et al., Scaling Vision Transformers to 22 Billion Parameters, 2023,
        arXiv:2302.05442.
    """

    norm: Template[Norm] = RMSNorm()

    shared: bool = True

    @nn.compact
    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Normalise over `head_dim`."""
        return self._normalised("query", query), self._normalised("key", key)

    def _normalised(self, name: str, x: Array) -> Array:
        norm = fresh(self.norm, name=name)
        if self.shared:
            return norm(x)
        heads = nn.vmap(
            lambda norm, x: norm(x),
            in_axes=2,
            out_axes=2,
            variable_axes={"params": 0},
            split_rngs={"params": True},
        )
        return heads(norm, x)


class FullWidthQKNorm(QKTransform, kw_only=True):
    r"""Query-key norm on all heads of queries together, and on all heads of keys, as in OLMo 2.

    Attributes:
        norm: template of the two norms, over `heads * head_dim` features.

    Example:
        ```python
        >>> from blocks import FullWidthQKNorm, MultiHeadAttention
        >>> olmo = MultiHeadAttention(num_heads=4, qk=(FullWidthQKNorm(),))

        ```

    References:
        OLMo Team, 2 OLMo 2 Furious, 2024, arXiv:2501.00656.
    """

    norm: Template[Norm] = RMSNorm()

    @nn.compact
    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Normalise over heads and `head_dim`."""
        return self._normalised("query", query), self._normalised("key", key)

    def _normalised(self, name: str, x: Array) -> Array:
        return fresh(self.norm, name=name)(x.reshape(*x.shape[:2], -1)).reshape(x.shape)


Limit: TypeAlias = Annotated[float, positive("; OLMo and MPT models have 6 or 8")]


class ClipQK(QKTransform, kw_only=True):
    r"""Clipping of queries and keys: $q \leftarrow \mathrm{clip}(q, -c, c)$, and $k$ likewise.

    As the first transform in `qk` it bounds the projections, before norms and rotation.

    Attributes:
        limit: the bound $c$.

    Raises:
        ValueError: a bound that is not positive.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention, RoPE
        >>> from blocks.attention import ClipQK, ClipValue
        >>> olmo = MultiHeadAttention(
        ...     num_heads=4,
        ...     qk=(ClipQK(limit=8.0),),
        ...     position=RoPE(),
        ...     values=(ClipValue(limit=8.0),),
        ... )

        ```

    References:
        MosaicML, MPT-7B, 2023 (`clip_qkv` of its configuration).
        Groeneveld et al., OLMo, 2024, arXiv:2402.00838.
    """

    limit: Limit

    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Clip both."""
        return jnp.clip(query, -self.limit, self.limit), jnp.clip(key, -self.limit, self.limit)
