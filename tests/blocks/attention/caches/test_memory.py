"""What a slot costs: the table in the docs."""

import jax
import jax.numpy as jnp
import pytest

from blocks import Int8Cache, Int8RingCache, KeyValueCache, RingCache

HEADS, HEAD_DIM, VALUE_DIM, ROWS = 3, 8, 6, 2


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("kind", "where"), [(KeyValueCache, 9), (RingCache, 13), (Int8Cache, 9), (Int8RingCache, 13)]
)
def test_a_slot_takes_what_the_docs_say(
    kind: type[KeyValueCache], where: int, dtype: jnp.dtype
) -> None:
    def size(slots: int) -> int:
        sizes = (ROWS, slots, HEADS, HEAD_DIM, VALUE_DIM)
        cache = jax.eval_shape(lambda: kind.empty(*sizes, dtype, lookback=1000))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(cache))

    eight_bits = issubclass(kind, Int8Cache)
    features = HEAD_DIM + VALUE_DIM
    vectors = features + 8 if eight_bits else features * jnp.dtype(dtype).itemsize
    assert size(11) - size(10) == ROWS * (HEADS * vectors + where)
