"""Caches: keys and values that attention keeps for later calls."""

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.int8 import Int8Cache
from blocks.attention.caches.memory import MemoryState
from blocks.attention.caches.ring import Int8RingCache, RingCache
from blocks.attention.caches.rows import select_rows
from blocks.attention.caches.state import CacheState, KeyValueState, Places
from blocks.attention.caches.variable import CacheVariable, cache_variable, count_tokens

__all__ = [
    "Cache",
    "CacheState",
    "CacheVariable",
    "Int8Cache",
    "Int8RingCache",
    "KeyValueCache",
    "KeyValueState",
    "MemoryState",
    "Places",
    "RingCache",
    "cache_variable",
    "count_tokens",
    "select_rows",
]
