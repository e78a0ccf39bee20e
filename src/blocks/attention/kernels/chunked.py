"""Attention chunk by chunk: memory grows linearly with length, forward and backward."""

from typing import Annotated

import jax.numpy as jnp

from blocks.attention.kernels.chunks import chunks_of_keys, chunks_of_queries
from blocks.attention.kernels.gradient import attend_in_chunks
from blocks.attention.kernels.online import Rules
from blocks.attention.kernels.support import Support
from blocks.attention.masks import Mask
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Float, Key, typed
from blocks.core.values import Value


class ChunkedAttention(Value):
    """Chunked attention: one chunk of queries and of keys at a time, never all scores at once.

    The result equals that of `dot_product_attention` up to rounding; memory grows with
    `q_seq + kv_seq`, where the reference's grows with their product. The backward pass recomputes
    the scores chunk by chunk. Chunks in which the mask hides every pair cost next to nothing: half
    of all under `Causal()`, nearly all outside a narrow window, free slots of a cache.

    Dropout uses a separate random key for each pair of chunks: the same key and chunk sizes give
    the same result, but other chunk sizes and the reference drop other weights. The gradient can be
    differentiated again in reverse mode; forward mode (`jax.jvp`) is not defined.

    Attributes:
        query_chunk: number of queries in a chunk; the last chunk may be shorter.
        key_chunk: number of keys in a chunk; the last chunk may be shorter.

    Raises:
        ValueError: a chunk size below 1.

    Example:
        ```python
        >>> from blocks import ChunkedAttention, MultiHeadAttention
        >>> attention = MultiHeadAttention(num_heads=8, implementation=ChunkedAttention())
        >>> attention.implementation
        ChunkedAttention(query_chunk=512, key_chunk=512)

        ```

    References:
        Milakov and Gimelshein, Online Normalizer Calculation for Softmax, 2018, arXiv:1805.02867.
        Rabe and Staats, Self-attention Does Not Need O(n^2) Memory, 2021, arXiv:2112.05682.
        Dao et al., FlashAttention, 2022, arXiv:2205.14135.
    """

    query_chunk: Annotated[int, at_least(1, "; 512 is usual")] = 512
    key_chunk: Annotated[int, at_least(1, "; 512 is usual")] = 512

    @property
    def support(self) -> Support:
        """Declare support for everything that the reference supports."""
        return Support()

    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        value: Float[Array, "batch kv_seq kv_heads value_dim"],
        query_at: Coordinates,
        key_at: Coordinates,
        *,
        mask: Mask | None = None,
        scale: float | None = None,
        modifications: tuple[Modification, ...] = (),
        sinks: Float[Array, "heads"] | None = None,
        dropout_rate: float = 0.0,
        dropout_key: Key[Array, ""] | None = None,
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Attend from every query to the keys that are visible to it."""
        q_seq, heads, head_dim = query.shape[1:]
        kv_seq, kv_heads, value_dim = value.shape[1:]
        queries = chunks_of_queries(query, query_at, kv_heads, max(1, min(self.query_chunk, q_seq)))
        keys = chunks_of_keys(key, value, key_at, max(1, min(self.key_chunk, kv_seq)))
        rules = Rules(mask, head_dim**-0.5 if scale is None else scale, dropout_rate)
        mixed = attend_in_chunks(rules, queries, keys, modifications, sinks, dropout_key)
        # chunks, batch, heads, chunk, value_dim -> batch, seq, heads, value_dim
        mixed = jnp.transpose(mixed, (1, 0, 3, 2, 4)).reshape(len(query), -1, heads, value_dim)
        return mixed[:, :q_seq].astype(value.dtype)
