"""`TripleHash`: a learned vector for each token and the two before it."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks import Context
from blocks.core.block import Block
from blocks.core.bounds import Size, at_least
from blocks.core.errors.words import shown
from blocks.core.initializers import Normal
from blocks.core.typing import Array, Float, Initializer, Int, typed


class TripleHash(Block, kw_only=True):
    r"""Hashed embedding of triples: a learned vector for each token and the two before it.

    As `BigramHash`, it goes into the slot `added` of an embedding. The first two tokens have bucket
    0; others have $1 + (a\,t_i \oplus b\,t_{i-1} \oplus c\,t_{i-2}) \bmod (n - 1)$ of $n$ buckets,
    with odd constants. It is made for training on windows: without padding, documents or a cache.

    Attributes:
        num_buckets: number of buckets, each with a vector that several triples share.
        features: width of a vector.
        embedding_init: initialiser of the table.

    Raises:
        ValueError: fewer than 2 buckets, a width below 1, or a context with padding, documents or a
            cache.
    """

    num_buckets: Annotated[int, at_least(2)]
    features: Size
    embedding_init: Initializer = Normal(0.02)

    @nn.compact
    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq {self.features}"]:
        """Look up the vector of each token and the two before it."""
        for name in ("valid", "segment_ids", "cache_size"):
            if (value := getattr(context, name, None)) is not None:
                raise ValueError(
                    f"context.{name}={shown(value)} must be None for TripleHash, which reads whole "
                    f"windows of text; leave {name} out."
                )
        table = self.param("embedding", self.embedding_init, (self.num_buckets, self.features))
        ids = tokens.astype(jnp.uint32)
        one, two = (jnp.pad(ids, ((0, 0), (n, 0)))[:, : ids.shape[1]] for n in (1, 2))
        mixed = (ids * 36313) ^ (one * 27191) ^ (two * 51647)
        bucket = 1 + (mixed % (self.num_buckets - 1)).astype(jnp.int32)
        return table[jnp.where(jnp.arange(ids.shape[1])[None] < 2, 0, bucket)]
