"""One attention head, as Karpathy's lecture writes it."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.kernels import masked_softmax
from blocks.attention.masks import Mask, visible
from blocks.context import Context, locate
from blocks.core.block import Block
from blocks.core.bounds import Rate, at_least
from blocks.core.drop import drop
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.leave import leave
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class AttentionHead(Block, kw_only=True):
    r"""A single attention head: a mean of visible values, weighted by how well query and key match.

    $$y = \mathrm{softmax}\!\left(\frac{q k^\top}{\sqrt{d}}\right) v,
    \qquad q = x W_q,\; k = x W_k,\; v = x W_v$$

    Several of these side by side are a `MultiHeadAttention` before its output projection.

    Attributes:
        head_dim: features $d$ of query, key and value.
        mask: which keys are visible to which queries; None makes all visible.
        use_bias: learn biases in the three projections.
        dropout_rate: dropout probability on attention weights.
        dtype: dtype of the computation; None infers it from input and parameters. The softmax is
            float32.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the weights.

    Raises:
        ValueError: a size below 1, a rate outside [0, 1), or a call that asks for a cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import AttentionHead, Causal
        >>> head = AttentionHead(head_dim=4, mask=Causal())
        >>> x = jnp.ones((1, 3, 8))
        >>> head.apply(head.init(jax.random.key(0), x), x).shape
        (1, 3, 4)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.1.
    """

    head_dim: Annotated[int, at_least(1, "; 64 is usual")]
    mask: Mask | None = None
    use_bias: bool = False
    dropout_rate: Rate = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions: unless the mask is causal."""
        return self.mask is None or not self.mask.causal

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.head_dim}"]:
        """Attend within `x`."""
        if context is not None and context.cache_size is not None:
            raise ValueError("AttentionHead keeps no cache; use MultiHeadAttention for decoding.")

        def project(name: str) -> Array:
            return Linear(
                features=(self.head_dim,),
                use_bias=self.use_bias,
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                kernel_init=self.kernel_init,
                name=name,
            )(x)

        query, key, value = project("query"), project("key"), project("value")
        at = locate(context, x.shape[0], x.shape[1])
        visible_keys = visible(self.mask, at, at)
        scores = jnp.einsum("bqd,bsd->bqs", query, key, preferred_element_type=jnp.float32)
        weights = masked_softmax(
            scores * self.head_dim**-0.5, None if visible_keys is None else visible_keys[:, 0]
        ).astype(value.dtype)
        weights = drop(self, weights, self.dropout_rate, deterministic)
        leave(self, "attention_weights", lambda: weights[:, None])
        return jnp.einsum("bqs,bsd->bqd", weights, value)
