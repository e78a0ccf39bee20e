"""The trainer's settings as plain values, without JAX, so that a command line can read them."""

import math
from dataclasses import dataclass
from typing import Literal

from recipes.errors import RecipeError
from recipes.trainer.mesh import MeshShape

# Devices count steps in 32 bits.
MAX_STEPS = 2**31 - 1


@dataclass(frozen=True)
class TrainerSettings:
    """How long to train and how often to look.

    Attributes:
        max_steps: Optimiser steps in all.
        log_every: Steps in one dispatch to the device and one row of metrics.
        eval_every: Steps between evaluations, samples and checkpoints.
        accumulate: Parts that a batch is split into, computed one after the other; gradients are
            averaged. If left out, `Trainer` computes the whole batch, and `recipes.nanogpt` about
            2,048 tokens at a time on one CPU device.
        patience: Evaluations without a better validation loss after which training stops; it goes
            on to the last step if left out.
        max_skipped: Steps in a row whose gradient may not be finite before training stops.
        skip_spikes: Whether a step whose loss rises far above those before changes nothing; it is
            reported either way.
        mesh: Devices along each axis, such as data=2,fsdp=4,tensor=2; one device if left out.
        debug_checks: Whether compiled steps check values too, such as token ids, which takes time.
        tracker: Where rows go besides metrics.jsonl: tensorboard, wandb or trackio.

    Raises:
        RecipeError: A number out of range.
    """

    max_steps: int = 2000
    log_every: int = 10
    eval_every: int = 250
    accumulate: int | None = None
    patience: int | None = None
    max_skipped: int = 20
    skip_spikes: bool = False
    mesh: str | None = None
    debug_checks: bool = False
    tracker: Literal["tensorboard", "wandb", "trackio"] | None = None

    def __post_init__(self) -> None:
        for name in (
            "max_steps",
            "log_every",
            "eval_every",
            "accumulate",
            "patience",
            "max_skipped",
        ):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise RecipeError(f"{name}={count} must be at least 1.", f"Give {name} a count.")
        _check_steps(self, "max_steps")
        if self.mesh is not None:
            MeshShape.parse(self.mesh)

    @property
    def parts(self) -> int:
        """Parts that a batch is split into."""
        return self.accumulate or 1


@dataclass(frozen=True)
class OptimizerSettings:
    """An optimiser with linear warm-up, decay, clipping, and weight decay on matrices only.

    Attributes:
        name: adamw, lion, adafactor; muon or soap for the matrices of layers beside adamw for the
            rest.
        schedule: How the rate falls after the warm-up: as a cosine, in a straight line, or stable
            until a straight line in the last fifth.
        learning_rate: At the end of the warm-up.
        min_learning_rate: At the end of the decay and after it; None keeps `learning_rate`.
        warmup_steps: Steps in which the rate grows from 0.
        decay_steps: Step at which the decay ends; None takes the length of the training.
        muon_learning_rate: Of the matrices that muon trains, in the same schedule.
        beta1: Decay of the mean of gradients; adafactor has none, muon's is 0.95.
        beta2: Decay of the mean of their squares; lion's second decay of the mean.
        epsilon: Added to the root of that mean.
        weight_decay: Share of each weight taken away per unit of learning rate.
        clip_norm: Norm that the gradient is scaled down to; None leaves it.

    Raises:
        RecipeError: A number out of range.
    """

    name: Literal["adamw", "lion", "adafactor", "muon", "soap"] = "adamw"
    schedule: Literal["cosine", "linear", "stable"] = "cosine"
    learning_rate: float = 1e-3
    min_learning_rate: float | None = 1e-4
    warmup_steps: int = 100
    decay_steps: int | None = None
    muon_learning_rate: float = 0.02
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    clip_norm: float | None = 1.0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0.0:
            raise RecipeError(
                f"learning_rate={self.learning_rate} must be above 0.", "1e-3 suits small models."
            )
        if self.min_learning_rate is not None and not (
            0.0 <= self.min_learning_rate <= self.learning_rate
        ):
            raise RecipeError(
                f"min_learning_rate={self.min_learning_rate} must be from 0 to "
                f"learning_rate={self.learning_rate}.",
                f"Add --optimizer.min-learning-rate {self.learning_rate / 10:g}; a tenth is usual.",
            )
        if not self.muon_learning_rate > 0.0:
            raise RecipeError(
                f"muon_learning_rate={self.muon_learning_rate} must be above 0.", "0.02 is usual."
            )
        for name in ("beta1", "beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise RecipeError(
                    f"{name}={getattr(self, name)} must be at least 0 and below 1.",
                    "0.9 and 0.99 are usual.",
                )
        if self.decay_steps is not None and self.decay_steps < 1:
            raise RecipeError(
                f"decay_steps={self.decay_steps} must be at least 1.",
                "Leave it out to decay over the length of the training.",
            )
        _check_steps(self, "warmup_steps", "decay_steps")
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise RecipeError(f"{name}={value} must be finite.", "Leave it out.")
        if not self.epsilon > 0.0:
            raise RecipeError(f"epsilon={self.epsilon} must be above 0.", "1e-8 is usual.")
        if self.warmup_steps < 0 or self.weight_decay < 0.0:
            raise RecipeError(
                f"warmup_steps={self.warmup_steps} and weight_decay={self.weight_decay} must be "
                "at least 0.",
                "Use 0 for none.",
            )
        if self.clip_norm is not None and not self.clip_norm > 0.0:
            raise RecipeError(
                f"clip_norm={self.clip_norm} must be above 0.", "Leave it out to clip nothing."
            )


def _check_steps(settings: object, *names: str) -> None:
    """Refuse numbers of steps that no device can count to."""
    for name in names:
        steps = getattr(settings, name)
        if steps is not None and steps > MAX_STEPS:
            raise RecipeError(
                f"{name}={steps} is more than the {MAX_STEPS} steps that are counted.",
                f"Use {MAX_STEPS} at most.",
            )
