"""The limits of this machine: its matrix products, its memory, and what other programs take."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

# Bytes of the array that is read: more than any cache holds.
READ_BYTES = 2**29
COLUMNS = 2**12
TIMES = 5


def fastest(function: Callable[..., Any], *arguments: Any) -> float:
    """Seconds of the fastest of some calls of a compiled function."""
    spent = []
    for _ in range(TIMES + 1):  # the first compiles
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        spent.append(time.perf_counter() - started)
    return min(spent[1:])


def product_flops(dtype: str, shapes: Iterable[tuple[int, int, int]]) -> float:
    """Operations per second of one device in matrix products: of the shape that is fastest.

    Args:
        dtype: Precision of the matrices; sums are float32.
        shapes: Rows, inner and outer size of each product.
    """
    product = jax.jit(functools.partial(jnp.matmul, preferred_element_type=jnp.float32))
    rates = []
    for rows, inner, outer in shapes:
        x, weights = jnp.ones((rows, inner), dtype), jnp.ones((inner, outer), dtype)
        rates.append(2 * rows * inner * outer / fastest(product, x, weights))
    return max(rates)


def read_bytes() -> float:
    """Bytes per second that one device reads: in the fastest way to read a matrix once."""
    rows = READ_BYTES // (4 * COLUMNS)
    matrix, vector = jnp.ones((rows, COLUMNS)), jnp.ones(COLUMNS)
    ways: tuple[Callable[..., Any], ...] = (
        lambda matrix, _: matrix.sum(),
        lambda matrix, _: matrix.sum(axis=1),
        lambda matrix, vector: matrix @ vector,
    )
    return 4 * matrix.size / min(fastest(jax.jit(way), matrix, vector) for way in ways)


def memory_bytes() -> int | None:
    """The most memory held so far: of the first device where it says so, or of this process.

    None where neither is told, as on Windows.
    """
    stats = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    with contextlib.suppress(ImportError):  # not on every system
        import resource

        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return held if sys.platform == "darwin" else 1024 * held
    return None


class Elsewhere:
    """Measures, from where it is made, what share of the cores other programs take."""

    def __init__(self) -> None:
        self._before = self._times()

    def share(self) -> float | None:
        """The share so far; None where the system does not say."""
        before, now = self._before, self._times()
        if before is None or now is None:
            return None
        busy, own, passed = (new - old for new, old in zip(now, before, strict=True))
        return max(0.0, (busy - own) / (cores() * passed))

    def _times(self) -> tuple[float, float, float] | None:
        """Seconds that these cores have worked, that they did for this process, and the time."""
        with contextlib.suppress(OSError, AttributeError):
            wanted = {f"cpu{core}" for core in os.sched_getaffinity(0)}
            lines = map(str.split, Path("/proc/stat").read_text(encoding="ascii").splitlines())
            # User, nice, system; then idle and waiting; then interrupts.
            ticks = [v for name, *v in lines if name in wanted for v in (*v[:3], *v[5:7])]
            times = os.times()
            own = times.user + times.system + times.children_user + times.children_system
            return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), own, time.perf_counter()
        return None


def cores() -> int:
    """Number of cores that this process may use."""
    with contextlib.suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
