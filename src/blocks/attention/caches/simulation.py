"""Test a custom cache with a mask: is every visible key still in the cache?"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.state import CacheState, Places
from blocks.attention.masks import Mask, visible
from blocks.context import Coordinates
from blocks.core.errors.words import shown
from blocks.core.typing import Array
from blocks.core.values import is_ours

# Row 0 has no padding; in row 1 every fourth token is padding.
ROWS, PADDING = 2, 4
# Queries that are checked in each call.
QUERIES = 32
# Tokens tried beyond those that are kept, where the mask has no lookback.
LONG = 256
# Rounds of a prompt and three tokens, at most.
ROUNDS = 64


@functools.lru_cache(maxsize=1024)
def check_cache(cache: Cache, mask: Mask, size: int) -> None:
    """Refuse a cache that drops a key which the mask makes visible.

    The library's `KeyValueCache` and what is based on it are not tested: those refuse such masks
    when attention is constructed.

    Raises:
        ValueError: names the token that is lost, duplicated or misplaced.
        TypeError: a state that is not a `CacheState`, or does not count its tokens.
    """
    if (isinstance(cache, KeyValueCache) and is_ours(type(cache))) or not cache.exact:
        return
    with jax.ensure_compile_time_eval():
        lost = _Trial(cache, mask, size).lost()
    if lost is not None:
        raise ValueError(
            f"cache={cache} does not go with mask={mask} and cache_size={size}: {lost}; use a mask "
            "that sees less, or a cache that keeps more, as KeyValueCache(). One that leaves keys "
            "out on purpose says so: its `exact` is False."
        )


def extended(cache: Cache, state: Any, key: Array, value: Array, at: Coordinates) -> Any:
    """Extend a cache, and check that it returns what it should.

    Raises:
        TypeError: something else came back, or keys, values and coordinates of different numbers.
    """
    result = cache.extend(state, key, value, at)
    if not (isinstance(result, tuple) and len(result) == 4 and isinstance(result[0], CacheState)):
        raise TypeError(
            f"{cache}.extend returned {shown(result)}; return the new state, keys, values and "
            "their coordinates."
        )
    _, keys, values, key_at = result
    numbers = keys.shape[1], values.shape[1], key_at.order.shape[1]
    if len(set(numbers)) > 1:
        raise TypeError(
            f"{cache}.extend returned {numbers[0]} keys, {numbers[1]} values and coordinates of "
            f"{numbers[2]}; return as many of each."
        )
    return result


class _Trial:
    """Simulated calls of a cache, with keys that are computed from the order of their tokens."""

    def __init__(self, cache: Cache, mask: Mask, size: int) -> None:
        self.cache, self.mask = cache, mask
        state = cache.start(ROWS, size, 1, 1, 1, jnp.dtype(jnp.float32), mask.lookback)
        if not isinstance(state, CacheState):
            raise TypeError(f"{cache}.start gives a {type(state).__name__}; give a CacheState.")
        self.state: Any = state
        slots = max(leaf.size for leaf in jax.tree.leaves(state)) // ROWS
        prompt, far = slots // 2 + 1, LONG if mask.lookback is None else mask.lookback
        rounds = min((slots + far) // (prompt + 3) + 2, ROUNDS)
        # Prompts that fit, repeatedly, and finally one that is longer than the cache.
        self.calls = (*(prompt, 1, 1, 1) * rounds, 2 * slots + 1, 1, 1, 1)
        self.tokens: Places = jax.device_get(_tokens(sum(self.calls)))
        self.step = jax.jit(self._step)

    def lost(self) -> str | None:
        """Describe the error in the first call that fails; None if all succeed."""
        start = 0
        for seq in self.calls:
            end = start + seq
            new = jax.tree.map(lambda leaf, a=start, b=end: leaf[:, a:b], self.tokens)
            try:
                self.state, *call = self.step(self.state, new)
            except ValueError:  # a call that is refused at once, as one of too many tokens
                return None
            self._check_counts(end)
            refused, lost, twice, hidden, misplaced = jax.device_get(call)
            for row in range(ROWS):
                words = "keys are not where their coordinates say" if misplaced[row] else None
                for wrong, what in (
                    (hidden, "is padding, or hidden by the mask"),
                    (twice, "is there twice"),
                    (lost, "is lost"),
                ):
                    if wrong[row].any():
                        query, key = (int(index[0]) for index in wrong[row].nonzero())
                        place = new.positions[row, _some(seq)[query]]
                        words = f"the query at position {place} sees key {key}, which {what}"
                if words is not None and not refused[row]:
                    return f"{words} after {end} tokens{', with padding' * row}"
            if refused.all():
                return None
            start = end
        return None

    def _step(self, state: Any, new: Places) -> tuple[Any, ...]:
        """Run a call: the new state, and what each row refused, lost, repeats, shows, misplaced."""
        numbers = _numbers(new.order)[:, :, None, None]
        state, keys, values, given = extended(self.cache, state, numbers, numbers, new)
        given = Places.of(given, ROWS)
        total, real = new.order[:, -1:] + 1, new.valid[:, _some(new.order.shape[1])]
        query = jax.tree.map(lambda leaf: leaf[:, _some(new.order.shape[1])], new)
        everything = jax.tree.map(jnp.asarray, self.tokens)
        want = self._visible(query, everything, real) & (everything.order < total)[:, None]
        got = self._visible(query, given, real)

        def number(order: Array, got: Array) -> Array:
            """Count how often each query finds each token."""
            return jnp.zeros(want.shape[:0:-1], jnp.int32).at[order].add(got.T, mode="drop").T

        there = jax.vmap(number)(given.order, got.astype(jnp.int32))
        unknown = (given.order < 0) | (given.order >= total)
        wrong = unknown | (jnp.sign(keys[..., 0, 0]) != _numbers(given.order))
        refused = jnp.isnan(values).any(axis=(1, 2, 3))
        misplaced = (wrong & got.any(axis=1)).any(axis=1)
        return state, refused, want & (there == 0), there > 1, ~want & (there > 0), misplaced

    def _visible(self, query: Places, key: Places, real: Array) -> Array:
        """Visible keys of a few queries that are not padding, batch x queries x keys."""
        result = visible(self.mask, query, key)
        assert result is not None  # padding is given
        return result[:, 0] & real[:, :, None]

    def _check_counts(self, total: int) -> None:
        real = self.tokens.valid[:, :total].sum(axis=1)
        counts = [int(self.state.length), *self.state.num_tokens.tolist()]
        if counts != [total, *real.tolist()]:
            raise TypeError(
                f"{self.cache}.extend does not count the new tokens: return state.counted(at), as "
                "`state.join` does."
            )


def _tokens(total: int) -> Places:
    """All tokens of the trial; those of row 1 have the document number of free slots."""
    order = jnp.broadcast_to(jnp.arange(total, dtype=jnp.int32), (ROWS, total))
    valid = jnp.stack([jnp.ones(total, bool), order[0] % PADDING != 1])
    positions = jnp.maximum(jnp.cumsum(valid, axis=1, dtype=jnp.int32) - 1, 0)
    documents = jnp.broadcast_to(jnp.array([[3], [0]], jnp.int32), (ROWS, total))
    return Places(order, positions, valid, documents)


def _some(seq: int) -> jax.Array:
    """Indices of the queries to check in a call, the first and the last among them."""
    return jnp.array([index * (seq - 1) // (QUERIES - 1) for index in range(QUERIES)])


def _numbers(order: Array) -> Array:
    """Pseudorandom number between -1 and 1 for each token."""
    bits = order.astype(jnp.uint32) * jnp.uint32(2654435761) >> 31
    return bits.astype(jnp.float32) * 2 - 1
