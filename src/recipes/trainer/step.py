"""One training step as a pure function, and several of them in one dispatch."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax

from recipes.trainer.state import TrainState

Batch: TypeAlias = dict[str, jax.Array]
Metrics: TypeAlias = dict[str, jax.Array]
# loss(apply_fn, params, batch, key) -> mean loss, {"weight": targets counted, ...}; without a key
# the call is deterministic.
LossFunction: TypeAlias = Callable[
    [Callable[..., Any], Any, Batch, jax.Array | None], tuple[jax.Array, Metrics]
]


def train_step(
    state: TrainState, batch: Batch, *, loss: LossFunction, accumulate: int = 1
) -> tuple[TrainState, Metrics]:
    """One step of the optimiser; a gradient that is not finite changes nothing but the count.

    Args:
        state: Before the step.
        batch: Arrays whose first axis is the batch.
        loss: The mean loss of a batch and the weight of that mean.
        accumulate: Parts that the batch is split into, one after the other.

    Returns:
        The state after the step; `train_loss`, `grad_norm` before clipping, and the loss' own.

    Raises:
        ValueError: A batch that `accumulate` does not divide.
    """
    key = jax.random.fold_in(state.key, state.step)
    value, metrics, gradients = _gradients(state, batch, key, loss, accumulate)
    norm = optax.global_norm(gradients)
    finite = jnp.isfinite(norm) & jnp.isfinite(value)
    updates, opt_state = state.tx.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)

    def keep(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda n, o: jnp.where(finite, n, o), new, old)

    state = state.replace(
        step=state.step + 1,
        params=keep(params, state.params),
        opt_state=keep(opt_state, state.opt_state),
        skipped=jnp.where(finite, 0, state.skipped + 1),
    )
    return state, {**metrics, "train_loss": value, "grad_norm": norm, "skipped": state.skipped}


def train_steps(
    state: TrainState,
    batches: Batch,
    count: jax.Array,
    *,
    loss: LossFunction,
    accumulate: int = 1,
) -> tuple[TrainState, Metrics]:
    """The first `count` of stacked batches, one step each, in one dispatch.

    `count` is an array, so a shorter last group runs the same compiled program, and results do not
    depend on how steps were grouped.

    Returns:
        The state after them; metrics with a leading axis of steps, of which `count` are filled.
    """
    length = jax.tree.leaves(batches)[0].shape[0]

    def one(state: TrainState, index: jax.Array) -> tuple[TrainState, Metrics]:
        batch = jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), batches
        )
        return train_step(state, batch, loss=loss, accumulate=accumulate)

    def body(index: jax.Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
        state, rows = carry
        state, row = one(state, index)
        return state, jax.tree.map(lambda all_, new: all_.at[index].set(new), rows, row)

    shapes = jax.eval_shape(one, state, count)[1]
    rows = jax.tree.map(lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), shapes)
    return jax.lax.fori_loop(0, count, body, (state, rows))


def _gradients(
    state: TrainState, batch: Batch, key: jax.Array, loss: LossFunction, accumulate: int
) -> tuple[jax.Array, Metrics, Any]:
    """Loss, metrics and gradient of a batch, taken whole or in parts."""

    def part(batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics, Any]:
        (value, metrics), gradients = jax.value_and_grad(
            lambda params: loss(state.apply_fn, params, batch, key), has_aux=True
        )(state.params)
        return value, metrics, gradients

    if accumulate == 1:
        return part(batch, key)
    size = jax.tree.leaves(batch)[0].shape[0]
    if size % accumulate:
        fits = [str(n) for n in range(1, size + 1) if size % n == 0]
        raise ValueError(
            f"accumulate={accumulate} must divide the batch of {size}; use {', '.join(fits)}."
        )
    parts = jax.tree.map(
        lambda leaf: leaf.reshape(accumulate, size // accumulate, *leaf.shape[1:]), batch
    )

    def add(total: Any, index_and_part: tuple[jax.Array, Batch]) -> tuple[Any, None]:
        index, own = index_and_part
        value, metrics, gradients = part(own, jax.random.fold_in(key, index))
        weight = metrics["weight"]
        rest = {name: metric * weight for name, metric in metrics.items() if name != "weight"}
        summed = (value * weight, rest, jax.tree.map(lambda g: g * weight, gradients), weight)
        return jax.tree.map(jnp.add, total, summed), None

    first = jax.tree.map(lambda leaf: leaf[0], parts)
    shapes = jax.eval_shape(lambda: add_shapes(part(first, key)))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (value, rest, gradients, weight), _ = jax.lax.scan(add, zeros, (jnp.arange(accumulate), parts))
    mean = jax.tree.map(lambda leaf: leaf / weight, (value, rest, gradients))
    return mean[0], {**mean[1], "weight": weight}, mean[2]


def add_shapes(result: tuple[jax.Array, Metrics, Any]) -> tuple[Any, Any, Any, Any]:
    """A part's result arranged as the sums are."""
    value, metrics, gradients = result
    rest = {name: metric for name, metric in metrics.items() if name != "weight"}
    return value, rest, gradients, metrics["weight"]
