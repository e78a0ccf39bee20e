"""`TransientGlobalAttention`: keys of single tokens, and of blocks of them, summed for the call."""

from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from blocks.attention.attention import Sides
from blocks.attention.block_sparse import last_positions
from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.inputs import AttentionInputs
from blocks.attention.kernels import KernelCall, require
from blocks.attention.masks import Mask
from blocks.attention.multi_head import MultiHeadAttention
from blocks.attention.scores import Modification, ScoreModification
from blocks.context import Context, Coordinates, locate
from blocks.core.bounds import at_least
from blocks.core.slots import Norm
from blocks.core.typing import Array, Bool, Int
from blocks.norms.rms_norm import RMSNorm


class Blocks(NamedTuple):
    """Blocks of tokens of one call, those of all documents of a row one after the other.

    Attributes:
        member: which token is in which block.
        number: number of each token's block in its document.
        at: coordinates of the blocks: `positions` are their numbers, `order` is negative.
    """

    member: Bool[Array, "batch seq blocks"]
    number: Int[Array, "batch seq"]
    at: Coordinates


def blocks_of(at: Coordinates, size: int) -> Blocks:
    """Divide tokens into blocks of `size`; those after the last whole block join it."""
    positions, last = at.positions, last_positions(at)
    valid = jnp.ones_like(positions, bool) if at.valid is None else at.valid
    whole = (last + 1) // size
    ends = valid & (positions % size == size - 1)
    before = jnp.cumsum(ends, axis=1) - ends
    index = before - (positions // size >= whole)
    count = positions.shape[1] // size
    member = (index[:, :, None] == jnp.arange(count)[None, None]) & (valid & (whole > 0))[
        :, :, None
    ]
    number = jnp.minimum(positions // size, whole - 1)
    ending = member & ends[:, :, None]

    def of_blocks(of_tokens: Array) -> Array:
        return jnp.where(ending, of_tokens[:, :, None], 0).sum(axis=1)

    segment_ids = None if at.segment_ids is None else of_blocks(at.segment_ids)
    order = jnp.broadcast_to(-1 - jnp.arange(count)[None], (len(positions), count))
    places = Coordinates(order, of_blocks(number), ending.any(axis=1), segment_ids)
    return Blocks(member, number, places)


class BesideBlocks(Mask):
    """Mask for the keys of tokens; those of blocks are visible.

    Attributes:
        mask: the mask for tokens.
    """

    mask: Mask

    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return where the key is visible to the query."""
        return self.mask(query, key) | (key.order < 0)[:, None, None, :]


class ScoresApart(ScoreModification, kw_only=True):
    """Other modifications for keys of blocks than for keys of tokens."""

    def modify(
        self, scores: Array, parameters: tuple, query_at: Coordinates, key_at: Coordinates
    ) -> Array:
        """Modify both, by where a query stands among tokens and its block among blocks."""
        of_tokens, of_blocks, number = parameters
        number = jnp.take(number, query_at.order[0], axis=1, mode="clip").astype(jnp.int32)
        tokens = blocks = scores
        for modification in of_tokens:
            tokens = modification(tokens, query_at, key_at)
        for modification in of_blocks:
            blocks = modification(blocks, query_at.replace(positions=number), key_at)
        return jnp.where((key_at.order < 0)[:, None, None, :], blocks, tokens)


_APART = ScoresApart()


class TransientGlobalAttention(MultiHeadAttention, kw_only=True):
    r"""Transient global attention: tokens see others, by the mask, and a summary of each block.

    $$g_b = \mathrm{norm}\Big(\sum_{i \in b} x_i\Big), \qquad
    k = [x; g]\,W_k, \qquad v = [x; g]\,W_v$$

    With a `SlidingWindow` each token sees its neighbours, and all of the text by its summaries,
    which are made anew in each layer. Blocks have `size` tokens; what is left at the end of a
    document joins its last block, and a document shorter than a block has none. Otherwise the block
    is a `MultiHeadAttention`, fields included but `position` and `cache`; `mask` and `scores` are
    for keys of tokens.

    Attributes:
        size: tokens in a block.
        block_norm: norm of the sums.
        block_scores: score modification for keys of blocks, by the numbers of the query's block and
            of the key's; None for none.

    Raises:
        ValueError: fields as in `MultiHeadAttention`, a size below 1, or a call with a cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import SlidingWindow
        >>> from blocks.attention import TransientGlobalAttention
        >>> attention = TransientGlobalAttention(num_heads=4, size=2, mask=SlidingWindow(2))
        >>> jax.jit(attention.init_with_output)(jax.random.key(0), jnp.ones((1, 9, 8)))[0].shape
        (1, 9, 8)

        ```

    References:
        Guo et al., LongT5, 2021, arXiv:2112.07916, section 3.1.2.
    """

    # A position turns keys by their place, and a block has none; a cache gives a text in parts.
    position: ClassVar[None] = None  # pyright: ignore[reportIncompatibleVariableOverride]
    cache: ClassVar[Cache] = KeyValueCache()  # pyright: ignore[reportIncompatibleVariableOverride]

    size: Annotated[int, at_least(1, "; LongT5 has 16")] = 16
    block_norm: Norm = RMSNorm()
    block_scores: ScoreModification | None = None

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions: always, by the summaries."""
        return True

    def check_fields(self) -> None:
        """Validate the size."""
        super().check_fields()
        require(self.implementation, KernelCall(modifications=(_APART,)))

    def _sides(self, x: Array, context: Context, deterministic: bool) -> Sides:
        """Project tokens, and the summaries of blocks to keys and values."""
        if context.cache_size is not None:
            raise ValueError(
                "a cache gives the text in parts, and blocks of the whole are summed; leave "
                "cache_size out of the context."
            )
        batch, seq, embed = x.shape
        at = locate(context, batch, seq)
        at = jax.tree.map(lambda array: jnp.broadcast_to(array, (batch, seq)), at)
        blocks = blocks_of(at, self.size)
        sums = jnp.einsum("bse,bsg->bge", x, blocks.member.astype(x.dtype))
        both = jnp.concatenate([x, self.block_norm(sums).astype(x.dtype)], axis=1)
        query = self._heads("query", x, self._head_dim(embed))
        key, value = (self._heads(n, both, self._head_dim(embed)) for n in ("key", "value"))
        inputs = AttentionInputs(x, context, deterministic, at, _joined(at, blocks.at))
        own, inputs = self._transform_values(value[:, :seq], inputs)
        value = jnp.concatenate([own, value[:, seq:]], axis=1)
        query, key = self._transform_qk(query, key, inputs)
        return Sides(query, key, value, inputs.key_at, inputs)

    def _bound(
        self, parts: tuple[ScoreModification, ...], inputs: AttentionInputs, key_at: Coordinates
    ) -> tuple[tuple[Modification, ...], AttentionInputs]:
        of_tokens, inputs = super()._bound(parts, inputs, key_at)
        own = () if self.block_scores is None else (self.block_scores,)
        of_blocks, inputs = super()._bound(own, inputs, key_at)
        number = blocks_of(inputs.query_at, self.size).number.astype(jnp.float32)
        return (Modification(_APART, (of_tokens, of_blocks, number)),), inputs

    def _mask(self) -> Mask | None:
        return None if self.mask is None else BesideBlocks(self.mask)


def _joined(tokens: Coordinates, blocks: Coordinates) -> Coordinates:
    """Coordinates of the keys of tokens and then of blocks."""
    valid = jnp.ones_like(tokens.order, bool) if tokens.valid is None else tokens.valid
    # Blocks count from -1 downwards.
    tokens = tokens.replace(valid=valid, increasing=False)
    return jax.tree.map(lambda *both: jnp.concatenate(both, axis=1), tokens, blocks)
