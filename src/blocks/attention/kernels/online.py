r"""Online softmax: the recurrence of the chunked kernel over chunks of keys.

Of the keys so far, a query keeps their highest score $m$, $\ell = \sum_j e^{s_j - m}$ and
$o = \sum_j e^{s_j - m} v_j$. A further chunk with the scores $s$ makes of them

$$m' = \max(m, \max_j s_j), \quad \ell' = e^{m - m'} \ell + \sum_j e^{s_j - m'}, \quad
o' = e^{m - m'} o + \sum_j e^{s_j - m'} v_j$$

and $o / \ell$ is what attention gives. The gradient needs no more than $m$ and $\ell$ of each
query: with them, the weights $e^{s_j - m} / \ell$ of every chunk can be had again.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from blocks.attention.kernels.chunks import Keys, Queries
from blocks.attention.masks import Mask, visible
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.drop import dropout
from blocks.core.typing import Array

# The lowest finite number, not -inf, whose difference to itself is no number.
LOWEST = float(jnp.finfo(jnp.float32).min)


@dataclasses.dataclass(frozen=True)
class Rules:
    """Options of an attention call that are static under `jit`.

    Attributes:
        mask: which keys are visible to which queries.
        scale: factor on scores.
        dropout_rate: dropout probability on attention weights.
    """

    mask: Mask | None
    scale: float
    dropout_rate: float


class State(NamedTuple):
    """The softmax over the keys so far, each array batch x heads x q_seq.

    Attributes:
        highest: highest score.
        total: sum of the exponentials, relative to the highest score.
        mixed: sum of values weighted by the exponentials; head_dim comes after the other axes.
    """

    highest: Array
    total: Array
    mixed: Array


def scores_of(
    rules: Rules,
    query: Array,
    key: Array,
    modifications: tuple[Modification, ...],
    query_at: Coordinates,
    key_at: Coordinates,
) -> Array:
    """Scores of a chunk of queries with a chunk of keys: batch x heads x q_seq x kv_seq."""
    q_seq = query_at.order.shape[1]
    scores = jnp.einsum("bkrd,bksd->bkrs", query, key, preferred_element_type=jnp.float32)
    scores = scores.reshape(scores.shape[0], -1, q_seq, scores.shape[-1]) * rules.scale
    for modification in modifications:
        scores = modification(scores, query_at, key_at)
    return scores


def visible_in(rules: Rules, queries: Queries, keys: Keys) -> Array | None:
    """Which keys of a chunk are visible; None where all are."""
    within = visible(rules.mask, queries.at, keys.at)
    if keys.inside is None:
        return within
    inside = keys.inside[None, None, None]
    return inside if within is None else within & inside


def mix(
    rules: Rules, dropout_key: Array | None, queries: Queries, keys: Keys, weights: Array
) -> Array:
    """The values of a chunk, weighted after dropout: batch x heads x q_seq x value_dim, float32."""
    if rules.dropout_rate > 0.0 and dropout_key is not None:
        # A key of its own for each pair of chunks: the backward pass draws the same again.
        own = jax.random.fold_in(jax.random.fold_in(dropout_key, queries.number), keys.number)
        weights = dropout(weights, rules.dropout_rate, own)
    rows = weights.astype(keys.value.dtype).reshape(*queries.query.shape[:3], -1)
    mixed = jnp.einsum("bkrs,bksd->bkrd", rows, keys.value, preferred_element_type=jnp.float32)
    return mixed.reshape(*weights.shape[:3], -1)


def start(queries: Queries, keys: Keys, sinks: Array | None) -> State:
    """The softmax over no keys; a sink is in it before any of them.

    `queries` are one chunk, `keys` all of them.
    """
    (batch, kv_heads, rows), q_seq = queries.query.shape[:3], queries.at.order.shape[1]
    heads = kv_heads * rows // q_seq
    shape = (batch, heads, q_seq)
    mixed = jnp.zeros((*shape, keys.value.shape[-1]), jnp.float32)
    if sinks is None:
        return State(jnp.full(shape, LOWEST), jnp.zeros(shape), mixed)
    sinks = sinks.astype(jnp.float32).reshape(1, heads, 1)
    return State(jnp.broadcast_to(sinks, shape), jnp.ones(shape), mixed)


def advance(
    rules: Rules,
    state: State,
    queries: Queries,
    keys: Keys,
    modifications: tuple[Modification, ...],
    visible_keys: Array | None,
    dropout_key: Array | None,
) -> State:
    """The softmax after a further chunk of keys."""
    scores = scores_of(rules, queries.query, keys.key, modifications, queries.at, keys.at)
    if visible_keys is not None:
        scores = jnp.where(visible_keys, scores, LOWEST)
    highest = jnp.maximum(state.highest, scores.max(axis=-1))
    weights = jnp.exp(scores - highest[..., None])
    if visible_keys is not None:
        weights = jnp.where(visible_keys, weights, 0.0)
    fade = jnp.exp(state.highest - highest)
    total = fade * state.total + weights.sum(axis=-1)
    mixed = mix(rules, dropout_key, queries, keys, weights)
    return State(highest, total, fade[..., None] * state.mixed + mixed)


def finish(state: State) -> tuple[Array, Array]:
    """The result, and the factor that normalises weights; zeros where no key was visible."""
    share = jnp.where(state.total > 0.0, 1.0 / jnp.where(state.total > 0.0, state.total, 1.0), 0.0)
    return state.mixed * share[..., None], share
