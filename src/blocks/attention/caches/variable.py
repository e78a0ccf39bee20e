"""The cache of an attention block as a variable of it."""

import flax.linen as nn
import jax

from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.masks import Mask
from blocks.context import Context


def cache_variable(
    block: nn.Module,
    kind: type[KeyValueCache],
    mask: Mask | None,
    context: Context | None,
    key: jax.Array,
    value: jax.Array,
) -> nn.Variable | None:
    """Makes or finds the cache of an attention block; None where the call asks for none.

    Raises:
        ValueError: a mask that can see ahead, or another `cache_size` than before.
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

    def empty() -> KeyValueCache:
        return kind.empty(
            batch, size, kv_heads, head_dim, value.shape[-1], key.dtype, lookback=lookback
        )

    cache = block.variable("cache", "key_value", empty)
    if cache.value.size != kind.slots(size, lookback):
        raise ValueError(
            f"cache_size={size} differs from the cache's {cache.value.size}; "
            "keep it the same from call to call."
        )
    return cache
