"""How far back a mask sees: what it says of itself, against its rule."""

import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Bidirectional, Causal, ChunkedLocal, Prefix, SlidingWindow
from blocks.attention.masks import Dilated, Mask, Padding, Segments
from blocks.context import Coordinates

SEQ = 12


def farthest(mask: Mask) -> int:
    """The greatest distance from a query back to a key that it sees."""
    order = jnp.arange(SEQ)[None]
    where = Coordinates(order, order, jnp.ones((1, SEQ), bool), jnp.zeros((1, SEQ), jnp.int32))
    query, key = np.nonzero(np.broadcast_to(mask(where, where)[0, 0], (SEQ, SEQ)))
    return int((query - key).max())


@pytest.mark.parametrize(
    "mask",
    [
        SlidingWindow(1),
        SlidingWindow(4),
        ChunkedLocal(4),
        Causal() & SlidingWindow(3),
        SlidingWindow(3) & ChunkedLocal(6) & Causal(),
        SlidingWindow(3) | ChunkedLocal(6),
        Causal() & (SlidingWindow(5) | SlidingWindow(2)) & Padding() & Segments(),
    ],
    ids=str,
)
def test_the_lookback_is_the_farthest_key_that_is_seen(mask: Mask) -> None:
    assert mask.lookback == farthest(mask)


@pytest.mark.parametrize(
    "mask",
    [
        Causal(),
        Bidirectional(),
        Dilated(3),
        Prefix(2),
        Padding(),
        Segments(),
        ~SlidingWindow(3),
        SlidingWindow(3) | Causal(),
        Prefix(1) | SlidingWindow(3),
        Causal() & Dilated(2),
    ],
    ids=str,
)
def test_what_sees_back_without_end_has_no_lookback(mask: Mask) -> None:
    assert mask.lookback is None
