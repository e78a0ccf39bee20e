"""Evaluation: the mean loss over every target of a split."""

import functools
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from recipes.trainer.placement import mesh_of, place_batch
from recipes.trainer.step import Batch, LossFunction, loss_and_metrics

# Batches that are dispatched before the result of the first is waited for.
AHEAD = 8


@functools.partial(jax.jit, static_argnames=("apply_fn", "loss"))
def evaluation_step(
    params: Any, batch: Batch, *, apply_fn: Callable[..., Any], loss: LossFunction
) -> dict[str, jax.Array]:
    """Compute the loss' metrics of one batch, without dropout."""
    value, metrics = loss_and_metrics(loss, apply_fn, params, batch, None)
    return {**metrics, "loss": value}


def evaluate(
    apply_fn: Callable[..., Any],
    params: Any,
    batches: Iterable[Batch],
    loss: LossFunction,
) -> dict[str, float]:
    """Compute means over all batches, weighted, in float64.

    Batches are split over the mesh that the parameters lie on, if they do on one.

    Returns:
        `loss` and the loss' own metrics; `weight` is the number of targets counted.

    Raises:
        ValueError: No batch has a target that counts.
    """
    if (mesh := mesh_of(params)) is not None:
        batches = (place_batch(batch, mesh) for batch in batches)
    # The device works while the host prepares the next batches, and holds few of them.
    results, waiting = list[dict[str, np.ndarray]](), deque[dict[str, jax.Array]]()
    for batch in batches:
        waiting.append(evaluation_step(params, batch, apply_fn=apply_fn, loss=loss))
        if len(waiting) == AHEAD:
            results.append(jax.device_get(waiting.popleft()))
    results += jax.device_get([*waiting])
    # The mean of a batch without weight is NaN.
    rows = [row for row in results if row["weight"] > 0]
    if not rows:
        raise ValueError("There is nothing to evaluate on: use batches with targets that count.")
    weights = np.array([row["weight"] for row in rows], np.float64)
    means = {
        name: float(np.array([row[name] for row in rows], np.float64) @ weights / weights.sum())
        for name in rows[0]
        if name != "weight"
    }
    return {**means, "weight": float(weights.sum())}
