"""`TokenEmbedding`: a learned vector for each token id, with positions and other additions."""

import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context, locate
from blocks.core.block import Block
from blocks.core.bounds import Rate, Size
from blocks.core.checks import check_values
from blocks.core.drop import drop
from blocks.core.initializers import Normal
from blocks.core.slots import AbsolutePosition, Added, Norm
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed


def check_tokens(tokens: Int[Array, "batch seq"], vocab_size: int) -> None:
    """Validate token ids against the size of the table; see `check_values`."""
    limits = jnp.iinfo(tokens.dtype)  # initial values, for calls without tokens
    check_values(
        (tokens >= 0).all() & (tokens < vocab_size).all(),
        "token ids from {low} to {high} do not fit vocab_size={size}; "
        "use the tokenizer that the model was made for.",
        low=tokens.min(initial=limits.max),
        high=tokens.max(initial=limits.min),
        size=vocab_size,
    )


class TokenEmbedding(Block, kw_only=True):
    r"""Token embedding: a learned vector for each token id, plus its absolute position.

    $$y_t = \mathrm{norm}(s\,E_{\mathrm{token}_t} + \textstyle\sum_i A_i + P_t)$$

    Attributes:
        vocab_size: number of token ids.
        features: width of a vector.
        position: absolute positions to add, `LearnedPositions` or `SinusoidalPositions`; None
            where attention handles positions.
        added: blocks whose vectors $A_i$ are added, such as `TokenTypes` and `BigramHash`; called
            on token ids, context and `deterministic`.
        embedding_scale: factor $s$ on the table's vectors; Gemma takes the root of the width.
        embedding_norm: norm of the sum, as in BERT; None for none.
        dropout_rate: dropout probability on the vectors.
        dtype: dtype of the result; None infers it from the parameters.
        param_dtype: dtype of the parameters.
        embedding_init: initialiser of the table $E$.

    Raises:
        ValueError: a size below 1, a rate outside [0, 1), or a token id outside the vocabulary:
            at once in an eager call, under `jit` inside `checked` only.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LearnedPositions, TokenEmbedding
        >>> position = LearnedPositions(max_length=4)
        >>> embed = TokenEmbedding(vocab_size=65, features=8, position=position)
        >>> tokens = jnp.array([[1, 2, 3]])
        >>> embed.apply(embed.init(jax.random.key(0), tokens), tokens).shape
        (1, 3, 8)

        ```

    References:
        Bengio et al., A Neural Probabilistic Language Model, 2003.
    """

    vocab_size: Size
    features: Size
    position: AbsolutePosition | None = None
    added: tuple[Added, ...] = ()
    embedding_scale: float = 1.0
    embedding_norm: Norm | None = None
    dropout_rate: Rate = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = Normal(0.02)

    def setup(self) -> None:
        """Create the table, which a tied head uses too."""
        shape = (self.vocab_size, self.features)
        self.embedding = self.param("embedding", self.embedding_init, shape, self.param_dtype)

    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.features}"]:
        """Embed every token."""
        if context is not None:
            context.check(*tokens.shape)
        x = self.vectors(tokens)
        if self.embedding_scale != 1.0:
            x = x * jnp.asarray(self.embedding_scale, x.dtype)
        for block in self.added:
            x = x + block(tokens, context, deterministic).astype(x.dtype)
        if self.position is not None:
            counted = count_tokens(self, context or Context(), *tokens.shape)
            x = self.position(x, locate(counted, *tokens.shape).positions).astype(x.dtype)
        if self.embedding_norm is not None:
            x = self.embedding_norm(x).astype(x.dtype)
        return drop(self, x, self.dropout_rate, deterministic)

    @typed
    def vectors(self, tokens: Int[Array, "batch seq"]) -> Float[Array, "batch seq {self.features}"]:
        """Look up every token in the table, without scale, positions and norm."""
        check_tokens(tokens, self.vocab_size)
        (table,) = promote_dtype(self.embedding, dtype=self.dtype)
        return table[tokens]

    def table(self) -> Float[Array, "{self.vocab_size} {self.features}"]:
        """The table of vectors, one row per token id."""
        return self.embedding
