"""Averages of parameters over training."""

from typing import Any

import jax
import jax.numpy as jnp

from recipes.trainer.state import TrainState
from recipes.trainer.step import Metrics, StepFunction, train_step


class AveragedStep:
    r"""A step that also keeps an exponential moving average of the parameters.

    After step $t$ it is $\bar\theta_t = d_t \bar\theta_{t-1} + (1 - d_t) \theta_t$ with
    $d_t = \min(d, (1 + t) / (10 + t))$, so that the first steps are soon forgotten. The state is
    created with `extra={"average": params}`.

    Attributes:
        decay: $d$, from 0 to below 1.
        step: The step that trains.

    Raises:
        ValueError: A decay out of range; at a step, a state without an average.

    References:
        Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
        TensorFlow, ExponentialMovingAverage (the warm-up).
    """

    def __init__(self, decay: float, step: StepFunction = train_step):
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay={decay} must be at least 0 and below 1; 0.999 is usual.")
        self.decay = decay
        self.step = step

    def __call__(self, state: TrainState, batch: Any, **options: Any) -> tuple[TrainState, Metrics]:
        """Take one step, as `train_step` does."""
        if "average" not in state.extra:
            raise ValueError(
                "The state holds no average; create it with "
                'TrainState.create(..., extra={"average": params}).'
            )
        state, metrics = self.step(state, batch, **options)
        count = jnp.asarray(state.step, jnp.float32)
        decay = jnp.minimum(self.decay, (1.0 + count) / (10.0 + count))
        average = jax.tree.map(
            lambda old, new: (decay * old + (1.0 - decay) * new).astype(old.dtype),
            state.extra["average"],
            state.params,
        )
        return state.replace(extra={**state.extra, "average": average}), metrics
