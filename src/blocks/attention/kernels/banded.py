"""Attention in bands of queries and a few sequences at a time, so that scores stay in a cache."""

from typing import Annotated

import jax.numpy as jnp

from blocks.attention.kernels.bands import Rules, attend_in_bands
from blocks.attention.kernels.support import Support, call_of, require
from blocks.attention.masks import Causal, Mask, visible
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Float, Key, typed
from blocks.core.values import Value


class BandedAttention(Value):
    """Banded attention, for CPUs: a band of queries of a few sequences at a time.

    The result equals that of `dot_product_attention` up to rounding. Scores of a band are computed
    for a few sequences at a time, so that they stay in the processor's cache, and again in the
    backward pass. Under `Causal()` alone, where queries and keys are the same tokens, known to be
    in increasing order (as those of `locate` are), a band leaves out the keys after its queries.

    Dropout uses a separate random key for each band and group of sequences: the same key and fields
    give the same result, but the other kernels drop other weights. The gradient can be
    differentiated again in reverse mode; forward mode (`jax.jvp`) is not defined.

    Attributes:
        query_chunk: number of queries in a band; the last band may be shorter.
        scores: number of scores that are held at a time; at least those of a band of one sequence.

    Raises:
        ValueError: a number below 1, or score modifications or sinks.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention
        >>> from blocks.attention.kernels import BandedAttention
        >>> attention = MultiHeadAttention(num_heads=8, implementation=BandedAttention())
        >>> attention.implementation
        BandedAttention(query_chunk=128, scores=524288)

        ```

    References:
        Dao et al., FlashAttention, 2022, arXiv:2205.14135.
    """

    query_chunk: Annotated[int, at_least(1, "; 128 is usual")] = 128
    scores: Annotated[int, at_least(1, f"; {2**19} is usual")] = 2**19

    @property
    def support(self) -> Support:
        """Declare support for everything but score modifications and sinks."""
        return Support(modifications=False, sinks=False)

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
        call = call_of(
            query, key, value, query_at, key_at, mask=mask, modifications=modifications, sinks=sinks
        )
        require(self, call)
        batch, q_seq, heads, head_dim = query.shape
        group = heads // key.shape[2]
        if group > 1:
            key, value = (jnp.repeat(x, group, axis=2) for x in (key, value))
        band = min(self.query_chunk, max(1, q_seq))
        rows = max(1, min(batch, self.scores // max(1, heads * band * key.shape[1])))
        # The same tokens, so that query `i` is key `i`.
        ordered = query_at.order is key_at.order and query_at.increasing
        rules = Rules(
            scale=head_dim**-0.5 if scale is None else scale,
            dropout_rate=dropout_rate if dropout_key is not None else 0.0,
            band=band,
            rows=next(n for n in range(rows, 0, -1) if batch % n == 0) if batch else 1,
            triangular=ordered and mask == Causal() and not call.padded,
        )
        seen = visible(mask, query_at, key_at)
        return attend_in_bands(rules, query, key, value, seen, dropout_key)
