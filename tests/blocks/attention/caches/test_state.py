"""The state of caches: a kind of one's own joins what works on all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Context
from blocks.attention.caches import CacheState, select_rows


class OwnState(CacheState):
    state: dict


def made(batch: int) -> OwnState:
    sums = {"sum": jnp.arange(3.0 * batch).reshape(batch, 3), "none": None}
    counts = {"length": jnp.array(7), "num_tokens": jnp.arange(batch)}
    return OwnState.empty(batch, state=sums).replace(**counts)


@pytest.mark.parametrize("layers", [(), (2,), (2, 2)], ids=["one", "scanned", "scanned twice"])
def test_rows_of_a_cache_of_ones_own_are_chosen(layers: tuple[int, ...]) -> None:
    cache = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*layers, *leaf.shape)), made(3))
    chosen = select_rows({"deep": {"state": cache}}, jnp.array([2, 0]))["deep"]["state"]
    assert type(chosen) is OwnState
    np.testing.assert_array_equal(chosen.length, np.full(layers, 7))
    np.testing.assert_array_equal(chosen.num_tokens, np.broadcast_to([2, 0], (*layers, 2)))
    want = np.broadcast_to([[6.0, 7.0, 8.0], [0.0, 1.0, 2.0]], (*layers, 2, 3))
    np.testing.assert_array_equal(chosen.state["sum"], want)


def test_tokens_after_others_count_on_without_padding() -> None:
    state = CacheState.empty(2)
    valid = jnp.array([[False, True, False, False], [True] * 4])
    state = state.counted(state.locate(Context(valid=valid), 4))
    at = state.locate(None, 2)
    np.testing.assert_array_equal(at.order, [[4, 5]])
    np.testing.assert_array_equal(at.positions, [[1, 2], [4, 5]])


@pytest.mark.parametrize("sizes", [(8,), (1,) * 8, (3, 1, 4), (5, 3)], ids=str)
def test_documents_count_on_in_later_calls(sizes: tuple[int, ...]) -> None:
    documents = jnp.array([[1, 1, 1, 2, 2, 2, 2, 5], [3, 3, 3, 3, 4, 9, 9, 9]])
    valid = jnp.ones((2, 8), bool).at[0, 4].set(False).at[1, 0].set(False)
    state, got, start = CacheState.empty(2), [], 0
    for size in sizes:
        place = slice(start, start + size)
        context = Context(segment_ids=documents[:, place], valid=valid[:, place])
        at = state.locate(context, size)
        state, start = state.counted(at), start + size
        got.append(at.positions)
    want = np.array([[0, 1, 2, 0, 0, 1, 2, 0], [0, 0, 1, 2, 0, 0, 1, 2]])
    real = np.asarray(valid)
    np.testing.assert_array_equal(np.concatenate(got, axis=1)[real], want[real])
