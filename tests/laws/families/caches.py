"""Attention with caches that do not keep everything; what it computes is as without."""

from laws.case import EMBED, Case, vectors
from laws.families.attention import attention

from blocks import Causal, RingCache, RoPE, SlidingWindow

E = EMBED

CASES = [
    Case(
        "attention_ring",
        attention(
            num_kv_heads=2, position=RoPE(), mask=Causal() & SlidingWindow(3), cache=RingCache()
        ),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4,
        mixes=True,
        caches=True,
        heavy=True,
    ),
]
