"""`MaskedLMHead`: the head of a masked language model."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.slots import Head, Norm
from blocks.core.typing import Array, Dtype, Float, typed
from blocks.linear import Linear
from blocks.mlp.activations import gelu
from blocks.norms.layer_norm import LayerNorm


class MaskedLMHead(Block, kw_only=True):
    r"""Masked language model head: a transformed vector, then the logits of the masked token.

    $$z = \mathrm{norm}(\phi(x W + c))\,E^\top + b$$

    Attributes:
        head: head that computes the logits, tied to the embedding or not.
        features: width of the transformed vector, that of a narrow table in ALBERT; None takes
            that of the input.
        activation: the function $\phi$.
        norm: norm after the activation.
        use_bias: learn the bias $c$; that of the logits, $b$, is in `head`.
        dtype: dtype of the products; None infers it.
        param_dtype: dtype of the parameters of $W$.

    Raises:
        ValueError: a width below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LMHead, MaskedLMHead
        >>> head = MaskedLMHead(head=LMHead(tied=True, use_bias=True))
        >>> x, table = jnp.ones((1, 3, 8)), jnp.ones((65, 8))
        >>> head.init_with_output(jax.random.key(0), x, table=table)[0].shape
        (1, 3, 65)

        ```

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    head: Head
    features: Size | None = None
    activation: Callable[[Array], Array] = gelu
    norm: Norm = LayerNorm()
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
        table: Float[Array, "vocab width"] | None = None,
    ) -> Float[Array, "batch seq vocab"]:
        """Compute logits at every token; `table` is used if the head is tied."""
        h = Linear(
            features=(self.features or x.shape[-1],),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="dense",
        )(x)
        h = self.norm(self.activation(h)).astype(h.dtype)
        tied = {} if table is None else {"table": table}
        return self.head(h, context, deterministic, **tied)
