"""Try a cache of one's own with a mask: whether all that a query may see is still there."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.state import CacheState, Places
from blocks.attention.masks import Mask, visible
from blocks.core.typing import Array
from blocks.core.values import is_ours

# Row 0 is all tokens, and of row 1 every fourth is padding.
ROWS, PADDING = 2, 4
# Queries that are looked at in each call.
QUERIES = 32
# Tokens that are tried behind those that are kept, where no lookback says how far a query sees.
LONG = 256
# Rounds of a prompt and three tokens, at most.
ROUNDS = 64


@functools.lru_cache(maxsize=1024)
def check_cache(cache: Cache, mask: Mask, size: int) -> None:
    """Refuse a cache that loses what the mask lets a query see.

    Caches of this library are not tried: they refuse such masks when attention is made.

    Raises:
        ValueError: names the token that is lost, is there twice, or is not where it should be.
        TypeError: a state that is no `CacheState`, or does not count its tokens.
    """
    if is_ours(type(cache)) or not cache.exact:
        return
    with jax.ensure_compile_time_eval():
        lost = _Trial(cache, mask, size).lost()
    if lost is not None:
        raise ValueError(
            f"cache={cache} does not go with mask={mask} and cache_size={size}: {lost}; use a mask "
            "that sees less, or a cache that keeps more, as KeyValueCache(). One that leaves keys "
            "out on purpose says so: its `exact` is False."
        )


class _Trial:
    """Calls of a cache with numbers for keys, each number known from the order of its token."""

    def __init__(self, cache: Cache, mask: Mask, size: int) -> None:
        self.cache, self.mask = cache, mask
        state = cache.start(ROWS, size, 1, 1, 1, jnp.dtype(jnp.float32), mask.lookback)
        if not isinstance(state, CacheState):
            raise TypeError(f"{cache}.start gives a {type(state).__name__}; give a CacheState.")
        self.state: Any = state
        slots = max(leaf.size for leaf in jax.tree.leaves(state)) // ROWS
        prompt, far = slots // 2 + 1, LONG if mask.lookback is None else mask.lookback
        rounds = min((slots + far) // (prompt + 3) + 2, ROUNDS)
        # Prompts that fit, over and over, and at last one that is longer than what is kept.
        self.calls = (*(prompt, 1, 1, 1) * rounds, 2 * slots + 1, 1, 1, 1)
        self.tokens = _tokens(sum(self.calls))
        self.step = jax.jit(self._step)

    def lost(self) -> str | None:
        """What goes wrong in the first call in which something does, in words; None if nothing."""
        start = 0
        for seq in self.calls:
            new = jax.tree.map(lambda leaf, a=start, b=start + seq: leaf[:, a:b], self.tokens)
            try:
                self.state, *call = self.step(self.state, new)
            except ValueError:  # a call that is refused at once, as one of too many tokens
                return None
            start += seq
            self._check_counts(start)
            refused, *call = (jax.tree.map(np.asarray, x) for x in call)
            for row in np.flatnonzero(~refused):
                part = [jax.tree.map(lambda leaf, r=row: leaf[r], x) for x in (new, *call)]
                words = self._compare(*part, total=start)
                if words is not None:
                    return f"{words} after {start} tokens{', with padding' * int(row)}"
            if refused.all():
                return None
        return None

    def _step(self, state: Any, new: Places) -> tuple:
        numbers = _numbers(new.order)[:, :, None, None]
        state, keys, values, given = self.cache.extend(state, numbers, numbers, new)
        if not isinstance(state, CacheState):
            raise TypeError(f"{self.cache}.extend gives a {type(state).__name__}; give the state.")
        given = Places.of(given, ROWS)
        some = _some(new.order.shape[1])
        query = jax.tree.map(lambda leaf: leaf[:, some], new)
        seen = [
            jnp.broadcast_to(self._visible(query, key), (ROWS, 1, QUERIES, key.order.shape[1]))
            for key in (self.tokens, given)
        ]
        refused = jnp.isnan(values).any(axis=(1, 2, 3))
        return state, refused, keys[..., 0, 0], given, *(x[:, 0] for x in seen)

    def _visible(self, query: Places, key: Places) -> Array:
        result = visible(self.mask, query, key)
        assert result is not None  # padding is given
        return result

    def _compare(
        self,
        new: Places,
        keys: np.ndarray,
        given: Places,
        want: np.ndarray,
        got: np.ndarray,
        total: int,
    ) -> str | None:
        """What of all tokens so far a row's queries miss among those given, in words."""
        orders, some = np.asarray(given.order), _some(len(new.order))
        real = np.asarray(new.valid)[some, None]  # what padding sees does not matter
        want, got = want & real & (np.arange(want.shape[1]) < total), got & real
        columns = np.flatnonzero(got.any(axis=0))
        known = np.isin(orders[columns], np.arange(total))
        there = np.zeros((want.shape[1], len(want)), int)
        np.add.at(there, orders[columns[known]], got.T[columns[known]].astype(int))
        for wrong, words in ((want & (there.T == 0), "is lost"), (there.T > 1, "is there twice")):
            if wrong.any():
                query, key = np.argwhere(wrong)[0]
                place = np.asarray(new.positions)[some[query]]
                return f"the query at position {place} sees key {key}, which {words}"
        right = known.all() and (np.sign(keys[columns]) == _numbers(orders[columns])).all()
        return None if right else "keys are not where their coordinates say"

    def _check_counts(self, total: int) -> None:
        real = np.asarray(self.tokens.valid)[:, :total].sum(axis=1)
        counts = [int(self.state.length), *np.asarray(self.state.num_tokens).tolist()]
        if counts != [total, *real.tolist()]:
            raise TypeError(
                f"{self.cache}.extend does not count the new tokens: return state.counted(at), as "
                "`state.join` does."
            )


def _tokens(total: int) -> Places:
    """All tokens of the trial, each row with a document that is not the one of none given."""
    order = np.broadcast_to(np.arange(total, dtype=np.int32), (ROWS, total))
    valid = np.stack([np.ones(total, bool), order[0] % PADDING != 1])
    positions = np.maximum(valid.cumsum(axis=1, dtype=np.int32) - 1, 0)
    documents = np.broadcast_to(np.array([[3], [5]], np.int32), (ROWS, total))
    return Places(*(jnp.asarray(x) for x in (order, positions, valid, documents)))


def _some(seq: int) -> np.ndarray:
    """Queries of a call that are looked at, first and last among them."""
    return np.linspace(0, seq - 1, QUERIES).astype(int)


def _numbers(order: Any) -> Any:
    """A number from -1 and 1 for each token, without a pattern."""
    bits = order.astype(np.uint32) * np.uint32(2654435761) >> 31
    return bits.astype(np.float32) * 2 - 1
