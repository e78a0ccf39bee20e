"""Training steps as pure functions: one, or several in one dispatch."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax

from recipes.trainer.state import TrainState

# A tree of arrays: a dictionary or a tuple of them.
Batch: TypeAlias = Any
Metrics: TypeAlias = dict[str, jax.Array]
# loss(apply_fn, params, batch, key) -> mean loss, alone or with {"weight": targets counted, ...};
# without a key the call is deterministic.
LossFunction: TypeAlias = Callable[
    [Callable[..., Any], Any, Batch, jax.Array | None], jax.Array | tuple[jax.Array, Metrics]
]
# step(state, batch, loss=..., accumulate=...) -> state after it, metrics.
StepFunction: TypeAlias = Callable[..., tuple[TrainState, Metrics]]


def train_step(
    state: TrainState, batch: Batch, *, loss: LossFunction, accumulate: int = 1
) -> tuple[TrainState, Metrics]:
    """Take one step of the optimiser; a gradient that is not finite only changes the count.

    Args:
        state: State before the step.
        batch: Arrays whose first axis is the batch.
        loss: Function that returns the mean loss of a batch, and the weight of that mean where it
            is not the number of examples.
        accumulate: Number of parts that the batch is split into, computed one after the other and
            averaged by weight; each has its own dropout.

    Returns:
        The state after the step; `train_loss`, `grad_norm` before clipping, `update_norm` of the
        optimiser's update, also where it is not applied, and the loss' metrics.

    Raises:
        ValueError: A batch that `accumulate` does not divide, or a loss without a weight.
    """

    def differentiated(params: Any, batch: Batch, key: jax.Array) -> tuple[Metrics, Any]:
        gradient = jax.value_and_grad(partial(loss_and_metrics, loss, state.apply_fn), has_aux=True)
        (value, metrics), gradients = gradient(params, batch, key)
        return {**metrics, "train_loss": value}, gradients

    key = jax.random.fold_in(state.key, state.step)
    if accumulate == 1:
        metrics, gradients = differentiated(state.params, batch, key)
    else:
        metrics, gradients = _in_parts(differentiated, state.params, batch, key, accumulate)
    norm = optax.tree.norm(gradients)
    finite = jnp.isfinite(norm) & jnp.isfinite(metrics["train_loss"])
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
    norms = {"grad_norm": norm, "update_norm": optax.tree.norm(updates)}
    return state, {**metrics, **norms, "skipped": state.skipped}


def loss_and_metrics(
    loss: LossFunction, apply_fn: Callable[..., Any], params: Any, batch: Batch, key: Any
) -> tuple[jax.Array, Metrics]:
    """Compute the mean loss of a batch and its metrics, of which `weight` is one.

    A loss that gives a number alone has the number of examples as its weight.

    Raises:
        ValueError: A loss that is not a number, or metrics without a weight.
    """
    result = loss(apply_fn, params, batch, key)
    if isinstance(result, tuple):
        value, metrics = result
    else:
        value, metrics = result, {"weight": jnp.float32(jax.tree.leaves(batch)[0].shape[0])}
    if jnp.shape(value) != ():
        raise ValueError(
            f"The loss has shape {jnp.shape(value)} and must be one number; take its mean."
        )
    if "weight" not in metrics:
        raise ValueError(
            f"The metrics of the loss hold {sorted(metrics)}, and `weight` must be among them; "
            "add the number of targets that the mean is of."
        )
    return value, metrics


def train_steps(
    state: TrainState,
    batches: Batch,
    count: jax.Array,
    *,
    loss: LossFunction,
    step: StepFunction = train_step,
    accumulate: int = 1,
) -> tuple[TrainState, Metrics]:
    """Take one step on each of the first `count` stacked batches, in one dispatch.

    `count` is an array, so a shorter last group runs the same compiled program, and results do not
    depend on how steps are grouped. Programs of different lengths would round differently.

    Returns:
        The state after them; metrics with a leading axis of steps, of which `count` are filled.
    """
    length = jax.tree.leaves(batches)[0].shape[0]

    # Jitted to be traced once, for the shapes of the metrics and for the loop, whose index starts
    # at an array because a Python zero would be of another type than `count`.
    @jax.jit
    def one(state: TrainState, batches: Batch, index: jax.Array) -> tuple[TrainState, Metrics]:
        batch = jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), batches
        )
        return step(state, batch, loss=loss, accumulate=accumulate)

    def body(index: jax.Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
        state, rows = carry
        state, row = one(state, batches, index)
        return state, jax.tree.map(lambda all_, new: all_.at[index].set(new), rows, row)

    shapes = jax.eval_shape(one, state, batches, count)[1]
    rows = jax.tree.map(lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), shapes)
    return jax.lax.fori_loop(jnp.zeros_like(count), count, body, (state, rows))


def _in_parts(
    differentiated: Callable[[Any, Batch, jax.Array], tuple[Metrics, Any]],
    params: Any,
    batch: Batch,
    key: jax.Array,
    count: int,
) -> tuple[Metrics, Any]:
    """Compute metrics and gradients of a batch, in parts to save memory."""
    size = jax.tree.leaves(batch)[0].shape[0]
    if size % count:
        fits = [str(n) for n in range(1, size + 1) if size % n == 0]
        raise ValueError(
            f"accumulate={count} must divide the batch of {size}; use {', '.join(fits)}."
        )
    parts = jax.tree.map(lambda leaf: leaf.reshape(count, size // count, *leaf.shape[1:]), batch)

    @jax.jit
    def weighted(params: Any, key: jax.Array, index: jax.Array, batch: Batch) -> Any:
        metrics, gradients = differentiated(params, batch, jax.random.fold_in(key, index))
        # A float32 weight makes the sums float32, also those of narrower gradients.
        weight = metrics.pop("weight").astype(jnp.float32)
        return weight, jax.tree.map(lambda leaf: leaf * weight, (metrics, gradients))

    def add(total: Any, part: tuple[jax.Array, Batch]) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, weighted(params, key, *part)), None

    numbered = (jnp.arange(count), parts)
    first = jax.tree.map(lambda leaf: leaf[0], numbered)
    shapes = jax.eval_shape(weighted, params, key, *first)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (weight, sums), _ = jax.lax.scan(add, zeros, numbered)
    metrics, gradients = jax.tree.map(lambda leaf: leaf / weight, sums)
    gradients = jax.tree.map(lambda new, old: new.astype(old.dtype), gradients, params)
    return {**metrics, "weight": weight}, gradients
