r"""Attention over bands of queries, with a backward pass that computes the scores again.

Scores are laid out as keys x queries, with queries last: a CPU then computes maxima and sums over
keys for several queries at once in its vector registers, and no product needs the transpose of
scores or weights, only those of queries, keys and values, which are smaller.

With weights $p_{ji}$ of key $j$ for query $i$, results $o_i$ and their gradients $\bar o_i$, scores
have the gradient $p_{ji} (v_j \cdot \bar o_i - o_i \cdot \bar o_i)$.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from blocks.attention.kernels.online import LOWEST
from blocks.core.drop import kept
from blocks.core.typing import Array


class Rules(NamedTuple):
    """Options of an attention call that are static under `jit`.

    Attributes:
        scale: factor on scores.
        dropout_rate: dropout probability on attention weights.
        band: number of queries at a time.
        rows: number of sequences at a time, a divisor of the batch.
        triangular: whether query `i` sees the keys up to `i` and no others.
    """

    scale: float
    dropout_rate: float
    band: int
    rows: int
    triangular: bool


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(
    rules: Rules, query: Array, key: Array, value: Array, visible: Array | None, drop: Array | None
) -> Array:
    return _forward(rules, query, key, value, visible, drop)[0]


def _forward(
    rules: Rules, query: Array, key: Array, value: Array, visible: Array | None, drop: Array | None
) -> tuple[Array, Any]:
    def attend(
        number: Array, visible: Array | None, arrays: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        query, key, value = (_heads_first(array) for array in arrays)
        parts = []
        for at, seen in _bands(rules, query.shape[2], key.shape[2]):
            own = query[:, :, at], key[:, :, seen], value[:, :, seen]
            scores, hidden = _scores(rules, *own[:2], visible, at, seen)
            highest = scores.max(axis=2, initial=LOWEST)
            weights = _cleared(hidden, jnp.exp(scores - highest[:, :, None]))
            total = weights.sum(axis=2)
            share = 1.0 / jnp.where(total > 0.0, total, 1.0)
            dropped = _dropped(rules, drop, number, at, weights)[0]
            mixed = _product(_transposed(own[2]), dropped.astype(value.dtype))
            mixed = mixed * (share / (1.0 - rules.dropout_rate))[:, :, None]
            parts.append((jnp.einsum("bhdq->bqhd", mixed), highest - jnp.log(share)))
        mixed, logsum = zip(*parts, strict=True)
        return jnp.concatenate(mixed, axis=1).astype(value.dtype), jnp.concatenate(logsum, axis=2)

    mixed, logsum = _over_rows(rules, attend, visible, (query, key, value))
    return mixed, (query, key, value, visible, drop, mixed, logsum)


def _backward(rules: Rules, residuals: Any, gradient: Array) -> tuple[Any, ...]:
    query, key, value, visible, drop, mixed, logsum = residuals
    delta = (gradient.astype(jnp.float32) * mixed).sum(axis=-1).swapaxes(1, 2)
    gradient = (gradient / (1.0 - rules.dropout_rate)).astype(value.dtype)

    def differentiate(
        number: Array, visible: Array | None, arrays: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        query, key, value, gradient = (_heads_first(array) for array in arrays[:4])
        logsum, delta = (array[:, :, None] for array in arrays[4:])
        of_query = list[Array]()
        of_key, of_value = jnp.zeros(key.shape), jnp.zeros(value.shape)
        for at, seen in _bands(rules, query.shape[2], key.shape[2]):
            own, of_output = query[:, :, at], gradient[:, :, at]
            scores, hidden = _scores(rules, own, key[:, :, seen], visible, at, seen)
            weights = _cleared(hidden, jnp.exp(scores - logsum[..., at]))
            of_weights = _product(value[:, :, seen], of_output, transposed=True)
            dropped, of_weights = _dropped(rules, drop, number, at, weights, of_weights)
            of_scores = weights * (of_weights - delta[..., at]) * rules.scale
            of_scores, dropped = of_scores.astype(query.dtype), dropped.astype(value.dtype)
            padding = [(0, 0), (0, 0), (0, key.shape[2] - seen.stop), (0, 0)]
            of_value = of_value + jnp.pad(_product(dropped, of_output), padding)
            of_key = of_key + jnp.pad(_product(of_scores, own), padding)
            of_query.append(_product(_transposed(key[:, :, seen]), of_scores))
        of_query = jnp.einsum("bhdq->bqhd", jnp.concatenate(of_query, axis=3))
        return of_query, _heads_first(of_key), _heads_first(of_value)

    arrays = (query, key, value, gradient, logsum, delta)
    gradients = _over_rows(rules, differentiate, visible, arrays)
    cast = (new.astype(old.dtype) for new, old in zip(gradients, arrays, strict=False))
    return (*cast, None, None)


_attend.defvjp(_forward, _backward)
# Compiled as one: else every eager call would compile its loops anew.
attend_in_bands = jax.jit(_attend, static_argnums=0)


def _bands(rules: Rules, q_seq: int, kv_seq: int) -> Iterator[tuple[slice, slice]]:
    """Bands of queries, and the keys that each may see."""
    for start in range(0, max(1, q_seq), rules.band):
        end = min(start + rules.band, q_seq)
        yield slice(start, end), slice(0, end if rules.triangular else kv_seq)


def _scores(
    rules: Rules, query: Array, key: Array, visible: Array | None, at: slice, seen: slice
) -> tuple[Array, Array | None]:
    """Scores, batch x heads x kv_seq x q_seq; also which weights to clear, if there may be any.

    Where every query sees a key, the exponential clears what is hidden.
    """
    scores = _product(key, query, transposed=True) * rules.scale
    if visible is None:
        return scores, None
    own = visible if visible.shape[2] == 1 else visible[:, :, at]
    hidden = ~jnp.swapaxes(own[:, :, :, seen], 2, 3)
    return jnp.where(hidden, LOWEST, scores), None if rules.triangular else hidden


def _cleared(hidden: Array | None, weights: Array) -> Array:
    return weights if hidden is None else jnp.where(hidden, 0.0, weights)


def _dropped(
    rules: Rules, drop: Array | None, number: Array, at: slice, *arrays: Array
) -> tuple[Array, ...]:
    """Set dropped entries of each array to zero, without scaling the others."""
    if drop is None or rules.dropout_rate == 0.0:
        return arrays
    own = jax.random.fold_in(jax.random.fold_in(drop, number), at.start)
    keep = kept(own, rules.dropout_rate, arrays[0].shape)
    return tuple(jnp.where(keep, array, 0.0) for array in arrays)


def _over_rows(
    rules: Rules,
    function: Callable[[Array, Array | None, tuple[Array, ...]], tuple[Array, ...]],
    visible: Array | None,
    arrays: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Apply a function to a few sequences at a time, with the number of the group."""
    batch = len(arrays[0])
    groups = batch // rules.rows
    if groups <= 1:
        return function(jnp.int32(0), visible, arrays)

    def split(array: Array) -> Array:
        return array.reshape(groups, rules.rows, *array.shape[1:])

    numbered = jnp.arange(groups), tuple(split(array) for array in arrays)
    if visible is None or len(visible) != batch:
        results = jax.lax.map(lambda x: function(x[0], visible, x[1]), numbered)
    else:
        own = (*numbered, split(visible))
        results = jax.lax.map(lambda x: function(x[0], x[2], x[1]), own)
    return jax.tree.map(lambda x: x.reshape(batch, *x.shape[2:]), results)


def _heads_first(array: Array) -> Array:
    """From batch x seq x heads x features to batch x heads x seq x features, or back."""
    return jnp.swapaxes(array, 1, 2)


def _product(a: Array, b: Array, *, transposed: bool = False) -> Array:
    """Matrix product over the last two axes, summed in float32; `transposed` transposes `b`."""
    axes = ((3,), (3 if transposed else 2,)), ((0, 1), (0, 1))
    return jax.lax.dot_general(a, b, axes, preferred_element_type=jnp.float32)


def _transposed(array: Array) -> Array:
    # Behind a barrier: else XLA folds the transpose into a product that its library cannot take.
    return jax.lax.optimization_barrier(jnp.swapaxes(array, 2, 3))
