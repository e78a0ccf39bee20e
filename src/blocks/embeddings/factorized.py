"""`FactorizedEmbedding`: a narrow embedding, and a map from it to the width of the model."""

import jax.numpy as jnp

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context, locate
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import AbsolutePosition
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed
from blocks.embeddings.tokens import TokenEmbedding
from blocks.linear import Linear


class FactorizedEmbedding(Block, kw_only=True):
    r"""Token embedding of a narrow width, mapped to the width of the model: $y = e W + b + P$.

    With a large vocabulary and a wide model it saves most parameters: a table of `vocab_size *
    inner` and a map of `inner * features`. What is added and normalised at the narrow width, as in
    ALBERT, stands in `embed`. A tied head is given the narrow table, and maps to its width first:
    `MaskedLMHead(features=inner, ...)` or `ProjectedHead(features=inner, ...)`.

    Attributes:
        embed: embedding $e$ of the narrow width.
        features: width of the model.
        use_bias: learn the bias $b$.
        position: absolute positions $P$ to add at the width of the model, as in OPT-350M; None for
            none.
        dtype: dtype of the product; None infers it.
        param_dtype: dtype of the parameters of the map.
        kernel_init: initialiser of $W$.

    Raises:
        ValueError: a width below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import FactorizedEmbedding, LayerNorm, TokenEmbedding
        >>> narrow = TokenEmbedding(vocab_size=65, features=4, embedding_norm=LayerNorm())
        >>> embed = FactorizedEmbedding(embed=narrow, features=16)
        >>> variables = embed.init(jax.random.key(0), jnp.array([[1, 2, 3]]))
        >>> jax.tree.map(jnp.shape, variables["params"]["projection"])
        {'bias': (16,), 'kernel': (4, 16)}

        ```

    References:
        Lan et al., ALBERT, 2019, arXiv:1909.11942, section 3.1.
    """

    embed: TokenEmbedding
    features: Size
    use_bias: bool = True
    position: AbsolutePosition | None = None
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    def setup(self) -> None:
        """Create the map."""
        self.projection = Linear(
            features=(self.features,),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
        )

    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.features}"]:
        """Embed every token, and map it to the width of the model."""
        x = self.projection(self.embed(tokens, context, deterministic))
        if self.position is None:
            return x
        counted = count_tokens(self, context or Context(), *tokens.shape)
        return self.position(x, locate(counted, *tokens.shape).positions).astype(x.dtype)

    @typed
    def vectors(self, tokens: Int[Array, "batch seq"]) -> Float[Array, "batch seq {self.features}"]:
        """Look up every token in the table, and map it, without positions and norm."""
        return self.projection(self.embed.vectors(tokens))

    def table(self) -> Float[Array, "vocab inner"]:
        """The narrow table, one row per token id."""
        return self.embed.table()
