"""The state of caches: a kind of one's own joins what works on all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import CacheState, select_rows


class OwnState(CacheState):
    state: dict


def made(batch: int) -> OwnState:
    return OwnState(
        length=jnp.array(7),
        num_tokens=jnp.arange(batch),
        state={"sum": jnp.arange(3.0 * batch).reshape(batch, 3), "none": None},
    )


@pytest.mark.parametrize("layers", [(), (2,), (2, 2)], ids=["one", "scanned", "scanned twice"])
def test_rows_of_a_cache_of_ones_own_are_chosen(layers: tuple[int, ...]) -> None:
    cache = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*layers, *leaf.shape)), made(3))
    chosen = select_rows({"deep": {"state": cache}}, jnp.array([2, 0]))["deep"]["state"]
    assert type(chosen) is OwnState
    np.testing.assert_array_equal(chosen.length, np.full(layers, 7))
    np.testing.assert_array_equal(chosen.num_tokens, np.broadcast_to([2, 0], (*layers, 2)))
    want = np.broadcast_to([[6.0, 7.0, 8.0], [0.0, 1.0, 2.0]], (*layers, 2, 3))
    np.testing.assert_array_equal(chosen.state["sum"], want)
