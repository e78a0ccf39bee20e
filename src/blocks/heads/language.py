"""`LMHead`: the head of a language model, with a logit for every token of the vocabulary."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import positive
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.products import table_product
from blocks.core.typing import Array, Dtype, Float, Initializer, typed


class LMHead(Block, kw_only=True):
    r"""Language model head: logits of the next token, $z = s\,(x W + b)$.

    Tied, $W$ is the transpose of the embedding's table, and the head has no weights of its own.

    Attributes:
        vocab_size: number of token ids; None if tied, which takes that of the table.
        tied: use the embedding's table.
        use_bias: learn a bias $b$ for each token.
        logit_scale: factor $s$ on logits.
        logit_cap: bound $c$ on the scaled logits, $c \tanh(z / c)$, as in Gemma 2; None for none.
        dtype: dtype of the product; None infers it. Logits are float32 always.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of $W$ if not tied.

    Raises:
        ValueError: neither or both of `vocab_size` and `tied`, a bound that is not positive, or a
            tied head without a table.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LMHead
        >>> x, table = jnp.ones((1, 3, 8)), jnp.ones((65, 8))
        >>> LMHead(tied=True).apply({}, x, table=table).shape
        (1, 3, 65)

        ```

    References:
        Press and Wolf, Using the Output Embedding to Improve Language Models, 2016,
        arXiv:1608.05859 (tying).
    """

    vocab_size: int | None = None
    tied: bool = False
    use_bias: bool = False
    logit_scale: float = 1.0
    logit_cap: Annotated[float, positive(", or None for no bound")] | None = None
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    def check_fields(self) -> None:
        """Validate that either a vocabulary size is given or the head is tied."""
        if self.tied and self.vocab_size is not None:
            raise ValueError(
                f"vocab_size={self.vocab_size} contradicts tied=True, which takes the size of the "
                "embedding's table; drop one of the two."
            )
        if not self.tied and (self.vocab_size is None or self.vocab_size < 1):
            raise ValueError(
                f"vocab_size={self.vocab_size} must be at least 1; give it, or tied=True."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
        table: Float[Array, "vocab embed"] | None = None,
    ) -> Float[Array, "batch seq vocab"]:
        """Compute logits at every token; `table` is used if the head is tied."""
        if not self.tied:
            shape = (x.shape[-1], self.vocab_size)
            kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        elif table is not None:
            kernel = table
        else:
            raise ValueError(
                "tied=True needs the embedding's table; call with head(x, table=table)."
            )
        x, kernel = promote_dtype(x, kernel, dtype=self.dtype)
        if self.tied and x.shape[:-1] == (1, 1):
            logits = table_product(x[0], kernel)[None]
        else:
            # With both axes: merged, a mesh that splits each of them would gather the sequences.
            kernel = kernel.T if self.tied else kernel
            logits = jnp.einsum("bse,ev->bsv", x, kernel, preferred_element_type=jnp.float32)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, logits.shape[-1:], self.param_dtype)
            logits = logits + bias.astype(jnp.float32)[None, None]
        logits = logits if self.logit_scale == 1.0 else self.logit_scale * logits
        return (
            logits if self.logit_cap is None else self.logit_cap * jnp.tanh(logits / self.logit_cap)
        )
