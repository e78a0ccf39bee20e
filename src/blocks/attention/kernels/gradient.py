r"""Attention over chunks, with a backward pass that needs no more memory than the forward pass.

With weights $p_{ij}$, results $o_i = \sum_j p_{ij} v_j$ and their gradients $\bar o_i$, scores
have the gradient $\bar s_{ij} = p_{ij} (\bar o_i \cdot v_j - \bar o_i \cdot o_i)$. A sink, whose
value is zero, is one more column of weights and has $-\sum_i p_i\, \bar o_i \cdot o_i$.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from blocks.attention.kernels.chunks import Keys, Queries
from blocks.attention.kernels.online import (
    LOWEST,
    Rules,
    State,
    advance,
    finish,
    mix,
    scores_of,
    start,
    visible_in,
)
from blocks.attention.scores import Modification
from blocks.core.typing import Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(
    rules: Rules,
    queries: Queries,
    keys: Keys,
    modifications: tuple[Modification, ...],
    sinks: Array | None,
    dropout_key: Array | None,
) -> Array:
    """Attend over all chunks; return chunks x batch x heads x q_seq x value_dim in float32."""
    return _forward(rules, queries, keys, modifications, sinks, dropout_key)[0]


def _forward(
    rules: Rules,
    queries: Queries,
    keys: Keys,
    modifications: tuple[Modification, ...],
    sinks: Array | None,
    dropout_key: Array | None,
) -> tuple[Array, Any]:
    def attend(_: None, queries: Queries) -> tuple[None, tuple[Array, ...]]:
        def step(state: State, keys: Keys) -> tuple[State, None]:
            visible_keys = visible_in(rules, queries, keys)

            def further(state: State) -> State:
                return advance(
                    rules, state, queries, keys, modifications, visible_keys, dropout_key
                )

            return _if_any(visible_keys, further, lambda state: state, state), None

        state, _ = jax.lax.scan(step, start(queries, keys, sinks), keys)
        return None, (*finish(state), state.highest)

    _, (mixed, share, highest) = jax.lax.scan(attend, None, queries)
    return mixed, (queries, keys, modifications, sinks, dropout_key, mixed, share, highest)


def _backward(rules: Rules, residuals: Any, gradient: Array) -> tuple[Any, ...]:
    queries, keys, modifications, sinks, dropout_key, mixed, share, highest = residuals
    common = (gradient * mixed).sum(axis=-1)

    def attend(sums: Any, rows: Any) -> tuple[Any, Array]:
        def step(sums: Any, keys: Keys) -> tuple[Any, Any]:
            visible_keys = visible_in(rules, rows[0], keys)

            def gradients(_: None) -> Any:
                return _of_chunks(rules, rows, keys, modifications, dropout_key, visible_keys)

            def zeros(_: None) -> Any:
                return _zeros(jax.eval_shape(gradients, None))

            own, others = _if_any(visible_keys, gradients, zeros, None)
            return jax.tree.map(jnp.add, sums, own), others

        key_sums, learned = sums
        own = (jnp.zeros(rows[0].query.shape, jnp.float32), learned)
        (query, learned), others = jax.lax.scan(step, own, keys)
        return (jax.tree.map(jnp.add, key_sums, others), learned), query

    sums = ((_zeros(keys.key), _zeros(keys.value)), _zeros(modifications))
    rows = (queries, gradient, share, highest, common)
    ((key, value), learned), query = jax.lax.scan(attend, sums, rows)
    sink = None
    if sinks is not None:
        logits = sinks.astype(jnp.float32).reshape(1, 1, -1, 1)
        weights = jnp.exp(logits - highest) * share
        sink = -(weights * common).sum(axis=(0, 1, 3)).astype(sinks.dtype)
    learned = jax.tree.map(lambda new, old: new.astype(old.dtype), learned, modifications)
    key, value = key.astype(keys.key.dtype), value.astype(keys.value.dtype)
    none: Any = None
    return (
        Queries(query.astype(queries.query.dtype), none, none),
        Keys(key, value, none, none, none),
        learned,
        sink,
        none,
    )


_attend.defvjp(_forward, _backward)
# Compiled as one: else every eager call would compile its loops anew.
attend_in_chunks = jax.jit(_attend, static_argnums=0)


def _of_chunks(
    rules: Rules,
    rows: tuple[Queries, Array, Array, Array, Array],
    keys: Keys,
    modifications: tuple[Modification, ...],
    dropout_key: Array | None,
    visible_keys: Array | None,
) -> Any:
    """Gradients from one chunk of queries and one of keys, each in float32.

    Returns those of queries and score modifications' parameters, then those of keys and values.
    """
    queries, gradient, share, highest, common = rows

    def scored(query: Array, key: Array, modifications: tuple[Modification, ...]) -> Array:
        return scores_of(rules, query, key, modifications, queries.at, keys.at)

    scores, pull = jax.vjp(scored, queries.query, keys.key, modifications)
    if visible_keys is not None:
        scores = jnp.where(visible_keys, scores, LOWEST)
    weights = jnp.exp(scores - highest[..., None]) * share[..., None]
    if visible_keys is not None:
        weights = jnp.where(visible_keys, weights, 0.0)

    def mixed(weights: Array, value: Array) -> Array:
        return mix(rules, dropout_key, queries, keys._replace(value=value), weights)

    from_values, value = jax.vjp(mixed, weights, keys.value)[1](gradient)
    query, key, learned = pull(weights * (from_values - common[..., None]))
    to_float32 = functools.partial(jax.tree.map, lambda x: x.astype(jnp.float32))
    return to_float32(((query, learned), (key, value)))


def _if_any(
    visible_keys: Array | None, some: Callable[[Any], Any], none: Callable[[Any], Any], operand: Any
) -> Any:
    """Skip the work on chunks in which no key is visible."""
    if visible_keys is None:
        return some(operand)
    return jax.lax.cond(visible_keys.any(), some, none, operand)


def _zeros(tree: Any) -> Any:
    return jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), tree)
