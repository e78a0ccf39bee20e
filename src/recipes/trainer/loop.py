"""The training loop: a generator of metrics around a pure step."""

import functools
import itertools
import time
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np

from recipes.errors import RecipeError
from recipes.trainer.arrays import placed
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState
from recipes.trainer.step import LossFunction, StepFunction, train_step, train_steps

Row = dict[str, Any]
Batch = dict[str, np.ndarray]


class Batches(Protocol):
    """Batches without an end, and where in them one is."""

    def __next__(self) -> Batch:
        """The next batch; all have the same shapes."""
        ...

    def get_state(self) -> dict[str, int]:
        """A position fit for JSON."""
        ...


class Trainer:
    """Trains a state on batches, and holds what a checkpoint needs after every row.

    Attributes:
        state: After the last row; its buffers are donated to the next one, so keep copies only.
        position: Of the batches after the last row.
        tokens: Targets that all steps so far counted.
        seconds: Spent on all steps so far, compiling left out.
        compile_seconds: Spent compiling in this session.
    """

    def __init__(
        self,
        state: TrainState,
        *,
        loss: LossFunction,
        settings: TrainerSettings,
        step: StepFunction = train_step,
        tokens: int = 0,
        seconds: float = 0.0,
    ):
        self.state = state
        self.position: dict[str, int] = {}
        self.tokens = tokens
        self.seconds = seconds
        self.compile_seconds = 0.0
        self._loss = loss
        self._step = step
        self._settings = settings

    def train(self, batches: Batches) -> Iterator[Row]:
        """Yields a row per `log_every` steps, and where an evaluation or the end comes before.

        A row holds `step`, means of the loss' metrics over its steps, `tokens` and `seconds`.
        While the device works on one group of steps the host prepares the next. A state that was
        put on devices keeps its sharding.

        Raises:
            RecipeError: The gradient was not finite too many times in a row, and the state keeps
                the last parameters that were; or the batches end before the last step.
            ValueError: A batch whose arrays are not like those of the batch before.
        """
        step, last = int(self.state.step), self._settings.max_steps
        if step >= last:
            return
        run = None
        group, count = self._group(batches, step)
        while step < last:
            self.position = batches.get_state()
            if run is None:
                run = self._compile(group)
            started = time.perf_counter()
            self.state, metrics = run(self.state, group, np.int32(count))
            step, done = step + count, count
            if step < last:
                before, (group, count) = group, self._group(batches, step)
                _check_alike(before, group)
            rows = jax.device_get(metrics)
            self.seconds += time.perf_counter() - started
            yield self._row(step, {name: values[:done] for name, values in rows.items()})

    def _group(self, batches: Batches, step: int) -> tuple[Batch, int]:
        """The batches up to the next row, stacked, and their number."""
        settings = self._settings
        ends = (
            settings.max_steps,
            *(_after(step, n) for n in (settings.log_every, settings.eval_every)),
        )
        count = min(ends) - step
        try:
            taken = [next(batches) for _ in range(count)]
        except StopIteration:
            raise RecipeError(
                f"The batches end before step {step + count} of {settings.max_steps}.",
                "Repeat the data, or set max_steps lower.",
            ) from None
        for before, batch in itertools.pairwise(taken):
            _check_alike(before, batch)
        taken += [taken[-1]] * (settings.log_every - count)
        return {name: np.stack([batch[name] for batch in taken]) for name in taken[0]}, count

    def _compile(self, group: Batch) -> Any:
        """One program for every group: ahead of time, so that its cost is known."""
        started = time.perf_counter()
        steps = functools.partial(
            train_steps,
            step=self._step,
            loss=self._loss,
            accumulate=self._settings.accumulate,
        )
        # Else the compiler may split the new state in another way, which the program then refuses.
        shardings = jax.tree.map(placed, self.state)
        jitted = jax.jit(steps, donate_argnums=0, out_shardings=(shardings, None))
        compiled = jitted.lower(self.state, group, np.int32(0)).compile()
        self.compile_seconds += time.perf_counter() - started
        return compiled

    def _row(self, step: int, metrics: dict[str, np.ndarray]) -> Row:
        self.tokens += round(float(metrics.pop("weight").sum(dtype=np.float64)))
        skipped = metrics.pop("skipped")
        finite = skipped == 0
        row: Row = {"step": step}
        for name, values in metrics.items():
            kept = values[finite] if finite.any() else values
            row[name] = float(kept.mean(dtype=np.float64))
        row |= {"skipped": int((~finite).sum()), "tokens": self.tokens, "seconds": self.seconds}
        if skipped[-1] >= self._settings.max_skipped:
            raise RecipeError(
                f"The gradient was not finite in the last {skipped[-1]} steps, up to step {step}.",
                "Lower the learning rate or lengthen the warm-up, and resume from a checkpoint.",
            )
        return row


def _after(step: int, every: int) -> int:
    """The first multiple of `every` after a step."""
    return (step // every + 1) * every


def _check_alike(before: Batch, after: Batch) -> None:
    """One program is compiled for one kind of batch: refuses another."""

    def described(batch: Batch) -> dict[str, str]:
        return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in batch.items()}

    if described(before) != described(after):
        raise ValueError(
            f"A batch holds {described(after)} and the one before {described(before)}; "
            "pad or drop the one that is cut short."
        )
