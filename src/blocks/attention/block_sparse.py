"""`BlockSparse`: scores of blocks of tokens, of which each sees its neighbours and the two ends."""

import math
from typing import Annotated

import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.scores import ScoreModification
from blocks.context import Coordinates
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Float, Int, typed

# Its exponential is zero beside any score, and it is finite, as kernels need.
_HIDDEN = -1e30


@typed
def last_positions(at: Coordinates) -> Int[Array, "#batch seq"]:
    """Find the last position in the document of each token; 0 where none is real."""
    own = jnp.ones((1, 1, 1), bool)
    if at.segment_ids is not None:
        own = at.segment_ids[:, :, None] == at.segment_ids[:, None]
    real = own if at.valid is None else own & at.valid[:, None]
    last = jnp.where(real, at.positions[:, None], 0).max(axis=-1)
    return jnp.broadcast_to(last, (len(last), at.order.shape[1]))


class BlockSparse(ScoreModification, kw_only=True):
    r"""Block-sparse scores, as in BigBird: a block sees its neighbours, and both ends of the text.

    $$s_{ij} + \begin{cases} \ln(1 + n) & j \text{ in the first block} \\
    0 & j \text{ in the last block, in the block of } i \text{ or beside it} \\
    -\infty & \text{else} \end{cases}$$

    Tokens of the first and last block see all others, unchanged. Blocks are counted by positions in
    each document, so that padding changes nothing. It hides keys by their scores: a modification
    that bounds scores stands before it.

    Attributes:
        size: tokens in a block.
        repeats: how many more times, $n$, each key of the first block counts. It stands for the
            random blocks of training, which BigBird's published code replaces by the first block.
        whole: length up to which each token sees all others.

    Raises:
        ValueError: a size below 1, a negative number, or a call with a cache.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention
        >>> from blocks.attention import BlockSparse
        >>> bigbird = MultiHeadAttention(
        ...     num_heads=12, scores=(BlockSparse(size=64, repeats=3, whole=704),)
        ... )

        ```

    References:
        Zaheer et al., Big Bird, 2020, arXiv:2007.14062.
    """

    size: Annotated[int, at_least(1, "; BigBird has 64")]
    repeats: Annotated[int, at_least(0)] = 0
    whole: Annotated[int, at_least(0)] = 0

    def parameters(self, num_heads: int, inputs: AttentionInputs) -> Float[Array, "#batch seq"]:
        """The last position in the document of each token; nothing of it is learned."""
        if inputs.context.cache_size is not None:
            raise ValueError(
                "a cache gives the text in parts, and the last block of the whole is seen by all; "
                "leave cache_size out of the context."
            )
        return last_positions(inputs.key_at).astype(jnp.float32)

    def modify(
        self,
        scores: Float[Array, "batch heads q_seq kv_seq"],
        parameters: Float[Array, "#batch seq"],
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> Float[Array, "batch heads q_seq kv_seq"]:
        """Hide keys of blocks that a query does not see, and weigh those of the first block."""
        end = jnp.take(parameters, query_at.order[0], axis=1, mode="clip")
        end = end.astype(jnp.int32)[:, :, None]
        query, key = query_at.positions[:, :, None], key_at.positions[:, None]
        mine, theirs, last = query // self.size, key // self.size, end // self.size
        whole = (mine == 0) | (mine == last) | (end < self.whole)
        seen = (abs(mine - theirs) <= 1) | (theirs == 0) | (theirs == last)
        change = jnp.where(theirs == 0, math.log1p(self.repeats), jnp.where(seen, 0.0, _HIDDEN))
        return scores + jnp.where(whole, 0.0, change)[:, None]
