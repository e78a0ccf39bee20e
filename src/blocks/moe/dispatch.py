"""Sparse dispatch: rows sorted by expert into blocks that each use one expert's parameters.

Every expert's rows are padded to whole blocks, so that shapes are static and no row is
ever dropped. Time grows with the number of rows, not with the number of experts.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from blocks.core.typing import Array, Bool, Float, Int, typed


class Plan(flax.struct.PyTreeNode):
    """Assignment of rows to blocks.

    Attributes:
        place: index of each row among the entries of all blocks.
        expert: expert of each block.
        used: False for a block without rows, which is not computed.
    """

    place: Int[Array, "rows"]
    expert: Int[Array, "blocks"]
    used: Bool[Array, "blocks"]


def block_size(rows: int, num_experts: int) -> int:
    """Number of rows in a block: near an expert's share, from 8 to 128."""
    share = max(rows // num_experts, 1)
    return min(max(1 << (share - 1).bit_length(), 8), 128)


@typed
def plan(experts: Int[Array, "rows"], num_experts: int, size: int) -> Plan:
    """Assign every row to a block of its expert; rows of an expert keep their order."""
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


def by_expert(
    function: Callable[..., Array],
    parameters: Any,
    x: Float[Array, "blocks size embed"],
    at: Plan,
    keys: Any = (),
) -> Float[Array, "blocks size embed"]:
    """Compute `function(parameters of the expert, rows, keys)` for every block.

    Unused blocks give zeros. The backward pass recomputes a block's function instead of keeping its
    activations, and sums gradients of parameters in place.

    Args:
        function: a pure function whose result has the shape of its rows.
        parameters: a tree of arrays with a leading axis of experts.
        x: rows, block by block.
        at: the expert of each block.
        keys: a tree of random keys with a leading axis of blocks.
    """
    one = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), (parameters, x, keys)
    )
    # Traced once, here: the backward pass is traced after the call, outside of what surrounds it,
    # as LoRA's or summary's interceptors.
    traced = jax.make_jaxpr(function)(*one)

    def compute(*arguments: Any) -> Array:
        return jaxpr_as_fun(traced)(*jax.tree.leaves(arguments))[0]

    dtype = jax.eval_shape(compute, *one).dtype
    return _by_expert((compute, dtype), parameters, x, at, keys)


Function = tuple[Callable[..., Array], Any]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _by_expert(function: Function, parameters: Any, x: Array, at: Plan, keys: Any) -> Array:
    call, dtype = function

    def step(_: None, block: tuple[Any, ...]) -> tuple[None, Array]:
        rows, number, used, keys = block

        def compute() -> Array:
            return call(jax.tree.map(lambda leaf: leaf[number], parameters), rows, keys)

        return None, jax.lax.cond(used, compute, lambda: jnp.zeros(rows.shape, dtype))

    return jax.lax.scan(step, None, (x, at.expert, at.used, keys))[1]


def _forward(function: Function, *arguments: Any) -> tuple[Array, tuple[Any, ...]]:
    return _by_expert(function, *arguments), arguments


def _backward(function: Function, arguments: tuple[Any, ...], gradient: Array) -> tuple[Any, ...]:
    parameters, x, at, keys = arguments

    # Summed in place, block by block: differentiating the scan would add whole arrays of
    # parameters for every block.
    def step(totals: Any, block: tuple[Any, ...]) -> tuple[Any, Array]:
        rows, change, number, used, keys = block

        def add() -> tuple[Any, Array]:
            own = jax.tree.map(lambda leaf: leaf[number], parameters)
            _, pull = jax.vjp(lambda own, rows: function[0](own, rows, keys), own, rows)
            of_own, of_rows = pull(change)
            added = jax.tree.map(
                lambda total, part: total.at[number].add(part.astype(total.dtype)), totals, of_own
            )
            return added, of_rows

        return jax.lax.cond(used, add, lambda: (totals, jnp.zeros_like(rows)))

    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), parameters)
    totals, of_x = jax.lax.scan(step, start, (x, gradient, at.expert, at.used, keys))
    of_parameters = jax.tree.map(lambda t, leaf: t.astype(leaf.dtype), totals, parameters)
    return of_parameters, of_x, None, None


_by_expert.defvjp(_forward, _backward)
