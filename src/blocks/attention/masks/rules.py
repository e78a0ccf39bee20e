"""Masks by order and position: causal, sliding window, chunked, strided, prefix."""

from typing import Annotated

import jax.numpy as jnp

from blocks.attention.masks.mask import Mask
from blocks.context import Coordinates
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Bool, typed


class Causal(Mask):
    """Causal mask: each token sees itself and the tokens before it.

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.3.
    """

    @property
    def causal(self) -> bool:
        """Always True."""
        return True

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compare the order of tokens, whatever their positions are."""
        return key.order[:, None, None, :] <= query.order[:, None, :, None]


class SlidingWindow(Mask):
    """Sliding window: tokens less than `window` positions away, before and after.

    `Causal() & SlidingWindow(n)` keeps the side before the query.

    Attributes:
        window: number of visible tokens on each side, the query itself included.

    Raises:
        ValueError: a window below 1.

    References:
        Beltagy et al., Longformer, 2020, arXiv:2004.05150.
    """

    window: Annotated[int, at_least(1, ", the token itself")]

    @property
    def lookback(self) -> int | None:
        """The window, the token itself not counted."""
        return self.window - 1

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compare positions."""
        distance = query.positions[:, None, :, None] - key.positions[:, None, None, :]
        return jnp.abs(distance) < self.window


class ChunkedLocal(Mask):
    """Chunked mask: tokens see those in the same chunk of `size` positions.

    Attributes:
        size: length of a chunk, in tokens.

    Raises:
        ValueError: a size below 1.

    References:
        Child et al., Sparse Transformers, 2019, arXiv:1904.10509. Meta, Llama 4, 2025 (its local
        layers, in its published code).
    """

    size: Annotated[int, at_least(1, ", the token itself")]

    @property
    def lookback(self) -> int | None:
        """Distance from the last token of a chunk to its first."""
        return self.size - 1

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compare the chunks that positions fall into."""
        chunk = query.positions[:, None, :, None] // self.size
        return chunk == key.positions[:, None, None, :] // self.size


class Dilated(Mask):
    """Strided mask: tokens see every `step`-th token, counted from themselves in both directions.

    Attributes:
        step: distance between two visible tokens.

    Raises:
        ValueError: a step below 1.

    References:
        Beltagy et al., Longformer, 2020, arXiv:2004.05150, section 3.1.
    """

    step: Annotated[int, at_least(1, ", which sees every token")]

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compare positions."""
        distance = query.positions[:, None, :, None] - key.positions[:, None, None, :]
        return distance % self.step == 0


class Prefix(Mask):
    """Prefix mask: all tokens see the first `length` positions.

    `Prefix(n) | Causal()` is the mask of a prefix language model.

    Attributes:
        length: length of the prefix, in tokens.

    Raises:
        ValueError: a negative length.

    References:
        Raffel et al., T5, 2019, arXiv:1910.10683, section 3.2.1.
    """

    length: Annotated[int, at_least(0)]

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compare the positions of keys with the length."""
        return key.positions[:, None, None, :] < self.length


class Bidirectional(Mask):
    """Bidirectional mask: all tokens see all tokens, as without a mask.

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return True for every key."""
        return jnp.ones((1, 1, 1, key.order.shape[-1]), bool)
