"""Vectors that are added to token embeddings: for types of tokens, and for pairs of tokens."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Size, at_least
from blocks.core.checks import check_values
from blocks.core.initializers import Normal
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed
from blocks.counting import newest_before


class TokenTypes(Block, kw_only=True):
    r"""Token type embedding: a learned vector per type, as for the two texts of a pair in BERT.

    It goes into the slot `added` of an embedding, and reads `context.token_type_ids`; without them
    all tokens have type 0.

    Attributes:
        num_types: number of types.
        features: width of a vector.
        param_dtype: dtype of the parameters.
        embedding_init: initialiser of the table.

    Raises:
        ValueError: a size below 1, or a type out of range.

    Example:
        ```python
        >>> from blocks import TokenEmbedding, TokenTypes
        >>> types = TokenTypes(num_types=2, features=16)
        >>> bert = TokenEmbedding(vocab_size=65, features=16, added=(types,))

        ```

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    reads = frozenset({"token_type_ids"})

    num_types: Size
    features: Size
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = Normal(0.02)

    @nn.compact
    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.features}"]:
        """Look up the vector of each token's type."""
        types = jnp.zeros_like(tokens)
        if context is not None and context.token_type_ids is not None:
            context.check(*tokens.shape)
            types = context.token_type_ids
        check_values(
            (types >= 0).all() & (types < self.num_types).all(),
            "context.token_type_ids from {low} to {high} do not fit num_types={size}.",
            low=types.min(initial=self.num_types),
            high=types.max(initial=0),
            size=self.num_types,
        )
        shape = (self.num_types, self.features)
        return self.param("embedding", self.embedding_init, shape, self.param_dtype)[types]


class BigramHash(Block, kw_only=True):
    r"""Hashed bigram embedding: a learned vector for each token and the one before it.

    It goes into the slot `added` of an embedding. The first token has bucket 0; others have
    $1 + (a\,t_i \oplus b\,t_{i-1}) \bmod (n - 1)$ of $n$ buckets, with odd constants $a$ and $b$.
    In decoding, the cache keeps the last token.

    Attributes:
        num_buckets: number of buckets, each with a vector that several pairs share.
        features: width of a vector.
        param_dtype: dtype of the parameters.
        embedding_init: initialiser of the table.

    Raises:
        ValueError: fewer than 2 buckets, or a width below 1.

    Example:
        ```python
        >>> from blocks import TokenEmbedding
        >>> from blocks.embeddings import BigramHash
        >>> pairs = BigramHash(num_buckets=1024, features=16)
        >>> embed = TokenEmbedding(vocab_size=65, features=16, added=(pairs,))

        ```

    References:
        Jordan et al., modded-nanogpt, 2024, github.com/KellerJordan/modded-nanogpt.
    """

    num_buckets: Annotated[int, at_least(2)]
    features: Size
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = Normal(0.02)

    @nn.compact
    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.features}"]:
        """Look up the vector of each token and the real token before it."""
        shape = (self.num_buckets, self.features)
        table = self.param("embedding", self.embedding_init, shape, self.param_dtype)
        none = jnp.full(len(tokens), -1, tokens.dtype)
        valid = segment_ids = last = None
        if context is not None:
            valid, segment_ids = context.valid, context.segment_ids
            if context.cache_size is not None:
                last = self.variable("cache", "last", lambda: none)
        before = newest_before(tokens, valid, none if last is None else last.value)
        if last is not None and tokens.shape[1]:
            real = jnp.ones_like(tokens, bool) if valid is None else valid
            newest = jnp.where(real, tokens, before)[:, -1]
            last.value = newest.astype(tokens.dtype)
        if segment_ids is not None:
            starts = (
                segment_ids != jnp.pad(segment_ids, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
            )
            before = jnp.where(starts, -1, before)
        mixed = (tokens.astype(jnp.uint32) * 36313) ^ (before.astype(jnp.uint32) * 27191)
        bucket = 1 + (mixed % (self.num_buckets - 1)).astype(jnp.int32)
        return table[jnp.where(before < 0, 0, bucket)]
