"""A reference of attention that is too slow to be wrong."""

import math
from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def attend() -> Callable[..., np.ndarray]:
    """Attention in float64, one query, one head and one key at a time."""

    def attend(
        query: np.ndarray,
        key: np.ndarray,
        value: np.ndarray,
        seen: Callable[[int, int], bool] = lambda q, k: True,
        scale: float | None = None,
        change: Callable[[float], float] = lambda score: score,
    ) -> np.ndarray:
        query, key, value = (np.asarray(array, np.float64) for array in (query, key, value))
        (q_seq, heads, head_dim), (kv_seq, kv_heads, value_dim) = query.shape, value.shape
        factor = 1.0 / math.sqrt(head_dim) if scale is None else scale
        out = np.zeros((q_seq, heads, value_dim))
        for q in range(q_seq):
            for head in range(heads):
                shared = head * kv_heads // heads
                weights = {
                    k: math.exp(change(factor * float(query[q, head] @ key[k, shared])))
                    for k in range(kv_seq)
                    if seen(q, k)
                }
                for k, weight in weights.items():
                    out[q, head] += weight / sum(weights.values()) * value[k, shared]
        return out

    return attend
