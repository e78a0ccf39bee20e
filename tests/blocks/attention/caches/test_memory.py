"""What a slot costs: the table in the docs."""

import jax
import jax.numpy as jnp
import pytest

from blocks import Int8Cache, KeyValueCache, RingCache
from blocks.attention.caches import Cache, Int8RingCache

HEADS, HEAD_DIM, VALUE_DIM, ROWS = 3, 8, 6, 2


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "cache", [KeyValueCache(), RingCache(), Int8Cache(), Int8RingCache()], ids=repr
)
def test_a_slot_takes_what_the_docs_say(cache: Cache, dtype: jnp.dtype) -> None:
    def size(slots: int) -> int:
        sizes = (ROWS, slots, HEADS, HEAD_DIM, VALUE_DIM)
        state = jax.eval_shape(lambda: cache.start(*sizes, dtype, lookback=1000))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))

    eight_bits = isinstance(cache, Int8Cache)
    features = HEAD_DIM + VALUE_DIM
    vectors = features + 8 if eight_bits else features * jnp.dtype(dtype).itemsize
    assert size(11) - size(10) == ROWS * (HEADS * vectors + 13)
