"""`MultiHeadPool`: one vector of a sequence, by attention of several heads and an MLP."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.cross import CrossAttention
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.initializers import Normal
from blocks.core.slots import Mixer, Norm
from blocks.core.surgery import find
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.heads.pooling import Pooler, valid_tokens
from blocks.norms.layer_norm import LayerNorm


class MultiHeadPool(Pooler, kw_only=True):
    r"""Multi-head attention pooling: a learned query attends to all tokens, then an MLP.

    $$h = \mathrm{attention}(q, x), \qquad y = h + \mathrm{mlp}(\mathrm{norm}(h))$$

    Attributes:
        attention: cross-attention from the query to the tokens.
        mlp: the MLP after it; None leaves out norm and MLP.
        norm: norm before the MLP.
        param_dtype: dtype of the query.
        query_init: initialiser of the query.

    Raises:
        ValueError: an attention that is no `CrossAttention`, or dropout, which poolers do not have.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import CrossAttention, MLP
        >>> from blocks.heads import MultiHeadPool
        >>> pool = MultiHeadPool(attention=CrossAttention(num_heads=4), mlp=MLP(hidden=32))
        >>> jax.jit(pool.init_with_output)(jax.random.key(0), jnp.ones((2, 5, 8)))[0].shape
        (2, 8)

        ```

    References:
        Lee et al., Set Transformer, 2018, arXiv:1810.00825, section 3.2.
        Zhai et al., Scaling Vision Transformers, 2021, arXiv:2106.04560, section 3.1.
    """

    attention: Mixer
    mlp: Mixer | None = None
    norm: Norm = LayerNorm()
    param_dtype: Dtype = jnp.float32
    query_init: Initializer = Normal(0.02)

    def check_fields(self) -> None:
        """Validate that the attention reads the tokens, and that nothing is dropped."""
        if not find(self.attention, CrossAttention):
            raise ValueError(
                f"attention={self.attention!r} does not read the tokens, which are its memory; use "
                "a CrossAttention(num_heads=...)."
            )
        for part in (self.attention, self.mlp):
            for block in find(part, Block).values() if part is not None else ():
                if getattr(block, "dropout_rate", 0.0) > 0.0:
                    raise ValueError(
                        f"dropout_rate={block.dropout_rate} of {type(block).__name__}: a pooler "
                        "has no dropout; leave it out here, and give it to the head."
                    )

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Attend to the real tokens of each row."""
        batch, _, embed = x.shape
        memory = Context(memory=x, memory_valid=valid_tokens(x, context))
        query = self.param("query", self.query_init, (1, embed), self.param_dtype)
        query = jnp.broadcast_to(query[None], (batch, 1, embed)).astype(x.dtype)
        h = self.attention(query, memory, True)
        if self.mlp is not None:
            h = h + self.mlp(self.norm(h).astype(h.dtype), Context(), True)
        return h[:, 0].astype(x.dtype)
