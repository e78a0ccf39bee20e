"""The cache of a block as a variable in Linen's collection `cache`."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.simulation import check_cache, extended
from blocks.attention.caches.state import CacheState, DocumentState, KeyValueState
from blocks.attention.masks import Mask
from blocks.context import Context, Coordinates
from blocks.core.checks import check_values, first_false
from blocks.core.typing import Array


@dataclasses.dataclass(frozen=True)
class CacheVariable:
    """A cache together with the variable that holds its state.

    Attributes:
        cache: the rule.
        variable: Linen variable that holds the state.
    """

    cache: Cache
    variable: nn.Variable

    def locate(self, context: Context | None, seq: int) -> Coordinates:
        """Coordinates of `seq` new tokens, which follow those so far."""
        return self.variable.value.locate(context, seq)

    def extend(self, key: Array, value: Array, at: Coordinates) -> tuple[Array, Array, Coordinates]:
        """Append new tokens; return the keys and values to attend to, with their coordinates.

        Raises:
            ValueError: tokens without `segment_ids` after tokens with them. Known at
                once in an eager call and inside `checked`; elsewhere under `jit` the values of the
                row become NaN instead.
        """
        before = self.variable.value
        in_slots = isinstance(before, KeyValueState)
        if at.segment_ids is None and in_slots:
            # Only new values become NaN: to rewrite those of all slots takes longer than to attend.
            value = jnp.where(_told(before.at)[:, None, None, None], value, jnp.nan)
        after, keys, values, key_at = extended(self.cache, before, key, value, at)
        _check_state(self.cache, before, after)
        self.variable.value = after
        if at.segment_ids is None and key_at.segment_ids is not None:
            if not in_slots:
                values = jnp.where(_told(key_at)[:, None, None, None], values, jnp.nan)
            # In self-attention the context describes queries and keys alike.
            key_at = Coordinates(key_at.order, key_at.positions, key_at.valid)
        return keys, values, key_at


def cache_variable(
    block: nn.Module,
    cache: Cache,
    mask: Mask | None,
    context: Context | None,
    key: jax.Array,
    value: jax.Array,
) -> CacheVariable | None:
    """Create or find the cache of an attention block; None where the call does not use one.

    Raises:
        ValueError: a mask that is not causal or looks back farther than the cache keeps; another
            `cache_size` or batch than before.
    """
    if context is None or context.cache_size is None:
        return None
    if mask is None or not mask.causal:
        raise ValueError(
            f"mask={mask} can see ahead, which a cache of past tokens cannot serve; "
            "use Causal(), or leave cache_size out of the context."
        )
    batch, _, kv_heads, head_dim = key.shape
    size, lookback = context.cache_size, mask.lookback
    check_cache(cache, mask, size)

    def start() -> CacheState:
        return cache.start(batch, size, kv_heads, head_dim, value.shape[-1], key.dtype, lookback)

    there = block.has_variable("cache", "key_value")
    variable = block.variable("cache", "key_value", start)
    if there:
        _check_size(jax.eval_shape(start), variable.value, size)
    return CacheVariable(cache, variable)


def count_tokens(block: nn.Module, context: Context, batch: int, seq: int) -> Context:
    """Count a block's tokens over cached calls; return the context with their positions.

    For blocks that pass absolute positions on, as models and embeddings do.
    """
    if context.cache_size is None:
        return context
    before = block.get_variable("cache", "num_tokens") or DocumentState.start(batch)
    positions, after = before.count(context, seq)
    block.put_variable("cache", "num_tokens", after)
    return context.replace(positions=positions)


def _told(key_at: Coordinates) -> Array:
    """Check that no cached token of a row has a document number."""
    held = key_at.segment_ids != 0
    told = ~(held if key_at.valid is None else held & key_at.valid).any(axis=1)
    check_values(
        told.all(),
        "the cache holds tokens of documents, in row {row}, and these come without; give "
        "Context(segment_ids=...) in every call, the last document's number to go on with it.",
        row=first_false(told),
    )
    return told


def _check_size(fresh: CacheState, kept: CacheState, size: int) -> None:
    """Refuse a state that was made for another batch or `cache_size`."""
    if fresh.num_tokens.shape != kept.num_tokens.shape:
        raise ValueError(
            f"batch={len(fresh.num_tokens)} differs from the cache's {len(kept.num_tokens)}; "
            "keep the rows the same from call to call, or choose among them with select_rows."
        )
    if _shapes(fresh) != _shapes(kept):
        before = f" {kept.slots}" if isinstance(kept, KeyValueState) else ""
        raise ValueError(
            f"cache_size={size} differs from the cache's{before}; "
            "keep it the same from call to call."
        )


def _check_state(cache: Cache, before: CacheState, after: CacheState) -> None:
    """Refuse a state that has changed its shape, with which neither `jit` nor a scan works."""
    for (path, old), (_, new) in zip(_leaves(before), _leaves(after), strict=True):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            raise TypeError(
                f"{cache} changes the shape of its state, which stays the same from call to call\n"
                f"  expected: {jax.tree_util.keystr(path)} of {old.dtype}{list(old.shape)}\n"
                f"  actual:   {new.dtype}{list(new.shape)}"
            )


def _leaves(state: CacheState) -> list:
    return jax.tree_util.tree_leaves_with_path(state)


def _shapes(state: CacheState) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(state)]
