"""Sparse computation: rows sorted by expert, in blocks that each meet one expert's kernels.

Every expert's rows are padded to whole blocks, so that shapes are static and no row is
ever dropped. Time grows with the rows that there are, not with the number of experts.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Bool, Float, Int, typed


class Plan(flax.struct.PyTreeNode):
    """Where rows stand in blocks.

    Attributes:
        place: of each row among the places of all blocks.
        expert: that each block meets.
        used: False for a block without rows, which is not computed.
    """

    place: Int[Array, "rows"]
    expert: Int[Array, "blocks"]
    used: Bool[Array, "blocks"]


def block_size(rows: int, num_experts: int) -> int:
    """Rows of a block: near an expert's share, from 8 to 128."""
    share = max(rows // num_experts, 1)
    return min(max(1 << (share - 1).bit_length(), 8), 128)


@typed
def plan(experts: Int[Array, "rows"], num_experts: int, size: int) -> Plan:
    """Gives every row a place in a block of its expert; rows of an expert keep their order."""
    rows = experts.shape[0]
    counts = jnp.bincount(experts, length=num_experts)
    padded = -(-counts // size) * size
    first_row, ends = jnp.cumsum(counts) - counts, jnp.cumsum(padded)
    order = jnp.argsort(experts, stable=True)
    sorted_experts = experts[order]
    rank = jnp.arange(rows) - first_row[sorted_experts]
    place = jnp.zeros(rows, jnp.int32)
    place = place.at[order].set(((ends - padded)[sorted_experts] + rank).astype(jnp.int32))
    starts = jnp.arange(-(-rows // size) + num_experts) * size
    expert = jnp.searchsorted(ends, starts, side="right")
    return Plan(place, jnp.minimum(expert, num_experts - 1).astype(jnp.int32), starts < ends[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def by_expert(
    function: Callable[..., Array],
    kernels: tuple[Array, ...],
    x: Float[Array, "blocks size embed"],
    expert: Int[Array, "blocks"],
    used: Bool[Array, "blocks"],
) -> Float[Array, "blocks size embed"]:
    """`function(rows, *kernels of the expert)` of every block; blocks not in use give zeros.

    The backward pass computes a block's function again instead of keeping what was between.
    """

    def step(_: None, block: tuple[Array, Array, Array]) -> tuple[None, Array]:
        rows, number, some = block

        def compute() -> Array:
            return function(rows, *(kernel[number] for kernel in kernels)).astype(rows.dtype)

        return None, jax.lax.cond(some, compute, lambda: jnp.zeros_like(rows))

    return jax.lax.scan(step, None, (x, expert, used))[1]


def _forward(function: Callable[..., Array], *arguments: Any) -> tuple[Array, tuple[Any, ...]]:
    return by_expert(function, *arguments), arguments


def _backward(
    function: Callable[..., Array], arguments: tuple[Any, ...], gradient: Array
) -> tuple[Any, ...]:
    kernels, x, expert, used = arguments

    # Summed in place, block by block: differentiating the scan would add whole arrays of kernels
    # for every block.
    def step(totals: tuple[Array, ...], block: tuple[Array, ...]) -> tuple[Any, Array]:
        rows, change, number, some = block

        def add() -> tuple[Any, Array]:
            own = (kernel[number] for kernel in kernels)
            of_rows, *of_own = jax.vjp(function, rows, *own)[1](change)
            parts = zip(totals, of_own, strict=True)
            return tuple(t.at[number].add(part.astype(t.dtype)) for t, part in parts), of_rows

        return jax.lax.cond(some, add, lambda: (totals, jnp.zeros_like(rows)))

    start = tuple(jnp.zeros(kernel.shape, jnp.float32) for kernel in kernels)
    totals, of_x = jax.lax.scan(step, start, (x, gradient, expert, used))
    of_kernels = tuple(t.astype(kernel.dtype) for t, kernel in zip(totals, kernels, strict=True))
    return of_kernels, of_x, None, None


by_expert.defvjp(_forward, _backward)
