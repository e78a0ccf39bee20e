"""Losses that rise far above those before: noticed, and left out of training where it is wanted."""

from typing import Any

import jax
import jax.numpy as jnp

from recipes.trainer.state import TrainState
from recipes.trainer.step import Metrics, StepFunction, train_step

# Steps that the averages reach back, and that they need before they judge.
MEMORY, WARM = 100, 50
# Deviations are at least this share of the mean: a loss that hardly varies does not spike.
LEAST = 0.01


def no_losses() -> dict[str, Any]:
    """What `TrainState.create(extra=...)` needs for a `SpikeStep`: averages of no losses yet."""
    zero = jnp.zeros((), jnp.float32)
    return {"losses": {"count": jnp.zeros((), jnp.int32), "mean": zero, "variance": zero}}


class SpikeStep:
    r"""A step that notices spikes of the loss, as the metric `spikes`: 1 for a spike, 0 for none.

    A loss is a spike where it exceeds $\mu + d \sigma$, with mean $\mu$ and deviation $\sigma$ of
    the losses before, averaged exponentially over about 100 steps. It counts into the averages as
    that bound, so that a loss that stays high is soon no spike. The averages are in the state's
    `extra`, so that a resumed run judges as one that never stopped.

    Attributes:
        step: The step that trains.
        deviations: $d$.
        skip: Whether a spike leaves parameters and optimiser as they were.

    Raises:
        ValueError: At a step, a state without averages.

    References:
        Chowdhery et al., PaLM, 2022, arXiv:2204.02311, section 5.1 (leaving out batches at spikes).
    """

    def __init__(
        self, step: StepFunction = train_step, *, deviations: float = 6.0, skip: bool = False
    ):
        self.step = step
        self.deviations = deviations
        self.skip = skip

    def __call__(self, state: TrainState, batch: Any, **options: Any) -> tuple[TrainState, Metrics]:
        """Take one step, as `train_step` does."""
        if "losses" not in state.extra:
            raise ValueError(
                "The state holds no averages of losses; create it with "
                "TrainState.create(..., extra=no_losses())."
            )
        losses = state.extra["losses"]
        after, metrics = self.step(state, batch, **options)
        mean, count = losses["mean"], losses["count"]
        deviation = jnp.maximum(jnp.sqrt(losses["variance"]), LEAST * jnp.abs(mean))
        bound = mean + self.deviations * deviation
        loss = metrics["train_loss"].astype(jnp.float32)
        spike = (count >= WARM) & (loss > bound)

        # An exponential average whose first steps count alike.
        share = jnp.maximum(1.0 / MEMORY, 1.0 / (count + 1.0))
        change = jnp.where(spike, bound, loss) - mean
        variance = (1.0 - share) * (losses["variance"] + share * change * change)
        averaged = {"count": count + 1, "mean": mean + share * change, "variance": variance}
        # A loss that is not finite says nothing; an infinite one is a spike besides.
        kept = _choose(jnp.isfinite(loss) | spike, averaged, losses)

        if self.skip:
            after = after.replace(
                params=_choose(spike, state.params, after.params),
                opt_state=_choose(spike, state.opt_state, after.opt_state),
            )
        after = after.replace(extra={**after.extra, "losses": kept})
        return after, {**metrics, "spikes": spike.astype(jnp.float32)}


def _choose(which: jax.Array, one: Any, other: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), one, other)
