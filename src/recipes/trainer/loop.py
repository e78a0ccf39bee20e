"""The training loop: a generator of metrics around a pure step."""

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from recipes.errors import RecipeError
from recipes.trainer.hooks import Hook
from recipes.trainer.leaves import placed
from recipes.trainer.not_finite import NotFiniteError, batches_at
from recipes.trainer.placement import mesh_of, place_batch, split_loss
from recipes.trainer.resumable import ResumableBatches
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState
from recipes.trainer.step import LossFunction, StepFunction, train_step, train_steps

Row = dict[str, Any]
# A tree of arrays: a dictionary or a tuple of them.
Batch = Any
# Most bytes of batches that one dispatch takes to the device: rows may be a million steps apart.
GROUP_BYTES = 2**25


class Trainer:
    """Training of a state on batches, with everything that a checkpoint needs after every row.

    Batches are split over the mesh that the state lies on, if `create_on` put it on one.

    Args:
        state: The state to go on from.
        loss: Loss of a batch: `loss(apply_fn, params, batch, key)` gives its mean, alone or with
            metrics, of which `weight` says how much it counts. Without a key nothing is dropped.
        settings: How long to train.
        step: What one step does; `train_step` unless it is replaced.
        hooks: What is done at intervals; see `every`.
        checks: What compiles steps with checks of values, as `blocks.checked` does, where
            `settings.debug_checks` asks for them.
        tokens: Targets of earlier sessions.
        seconds: Seconds of earlier sessions.

    Attributes:
        state: State after the last row; its buffers are donated to the next one, so keep copies.
        position: Position of the batches after the last row, fit for JSON.
        tokens: Number of targets in all steps so far.
        seconds: Time spent on all steps so far, without compiling.
        compile_seconds: Time spent compiling in this session.
    """

    def __init__(
        self,
        state: TrainState,
        *,
        loss: LossFunction,
        settings: TrainerSettings,
        step: StepFunction = train_step,
        hooks: Sequence[Hook] = (),
        checks: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None,
        tokens: int = 0,
        seconds: float = 0.0,
    ):
        self.state = state
        self.position: Any = {}
        self.tokens = tokens
        self.seconds = seconds
        self.compile_seconds = 0.0
        self._mesh = mesh = mesh_of(state)
        self._loss = loss if mesh is None else split_loss(loss, mesh)
        self._step = step
        self._hooks = tuple(hooks)
        self._checks = checks
        if settings.debug_checks and checks is None:
            raise ValueError("debug_checks=True needs checks; give checks=blocks.checked.")
        self._settings = settings

    def train(self, batches: Iterable[Batch]) -> Iterator[Row]:
        """Yield a row per `log_every` steps, and at the steps of the hooks and the end.

        A row holds `step`, means of the loss' metrics over its steps, `tokens` and `seconds`.
        Batches are trees of arrays, all of the same shapes; `ResumableBatches` says how their
        position is counted. While the device works on one group of steps the host prepares the
        next. A state that is committed to devices keeps its sharding.

        Raises:
            NotFiniteError: The gradient was not finite too many times in a row; the state keeps the
                last finite parameters.
            RecipeError: The batches end before the last step.
            ValueError: A batch whose arrays are not like those of the batch before; with
                `debug_checks`, values that a block refuses.
        """
        step, last = int(self.state.step), self._settings.max_steps
        if step >= last:
            return
        batches = ResumableBatches(batches)
        run, parts = None, list[dict[str, np.ndarray]]()
        group, count = self._group(batches, step)
        while step < last:
            self.position = batches.get_state()
            if run is None:
                run = self._compile(group)
            started = time.perf_counter()
            self.state, metrics = run(self.state, group, np.int32(count))
            step, done, before = step + count, count, group
            if step < last:
                group, count = self._group(batches, step)
                _check_alike(before, group)
            parts.append({name: leaf[:done] for name, leaf in jax.device_get(metrics).items()})
            self.seconds += time.perf_counter() - started
            skipped = parts[-1]["skipped"]
            failed = int(skipped[-1]) >= self._settings.max_skipped
            if not failed and step < self._row_end(step - 1):
                continue
            whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            row = self._row(step, whole)
            parts.clear()
            if failed:
                raise NotFiniteError(int(skipped[-1]), row, batches_at(before, skipped > 0))
            for hook in self._hooks:
                row = hook(self, row, is_last=step == last)
            yield row

    def _group(self, batches: Iterator[Batch], step: int) -> tuple[Batch, int]:
        """Stack the batches up to the next row, or as many as fit; also return their number."""
        settings, count = self._settings, self._row_end(step) - step
        try:
            taken = [next(batches)]
            # Not max_steps: a longer course must run the same program.
            length = min(settings.log_every, _fitting(taken[0]))
            count = min(count, length)
            taken += [next(batches) for _ in range(count - 1)]
        except StopIteration:
            raise RecipeError(
                f"The batches end before step {step + count} of {settings.max_steps}.",
                "Repeat the data, as itertools.cycle does, or set max_steps lower.",
            ) from None
        for before, batch in itertools.pairwise(taken):
            _check_alike(before, batch)
        taken += [taken[-1]] * (length - count)
        group = jax.tree.map(lambda *leaves: np.stack(leaves), *taken)
        return (group if self._mesh is None else place_batch(group, self._mesh, axis=1)), count

    def _row_end(self, step: int) -> int:
        """The first step after another at which a row ends."""
        intervals = self._settings.log_every, *(hook.steps for hook in self._hooks)
        return min(self._settings.max_steps, *(_after(step, every) for every in intervals))

    def _compile(self, group: Batch) -> Any:
        """Compile one program for all groups, ahead of time, to measure the time it takes."""
        started = time.perf_counter()
        steps = functools.partial(
            train_steps,
            step=self._step,
            loss=self._loss,
            accumulate=self._settings.parts,
        )
        if self._settings.debug_checks and self._checks is not None:
            return self._checks(steps)
        # Otherwise the compiler may shard the new state differently, which it then refuses.
        shardings = jax.tree.map(placed, self.state)
        # Metrics are whole on every device, for each process reads its own.
        whole = None if self._mesh is None else NamedSharding(self._mesh, PartitionSpec())
        jitted = jax.jit(steps, donate_argnums=0, out_shardings=(shardings, whole))
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
        counted = {"skipped": int((~finite).sum()), "tokens": self.tokens}
        return {**row, **counted, "seconds": self.seconds}


def _after(step: int, every: int) -> int:
    """Return the first multiple of `every` after a step."""
    return (step // every + 1) * every


def _fitting(batch: Batch) -> int:
    """Number of batches that are stacked at most, whatever the interval of rows."""
    size = sum(getattr(leaf, "nbytes", 8) for leaf in jax.tree.leaves(batch))
    return max(1, GROUP_BYTES // max(1, size))


def _check_alike(before: Batch, after: Batch) -> None:
    """Refuse a batch whose arrays differ from those that the program was compiled for."""

    def described(batch: Batch) -> dict[str, str]:
        found = {}
        for path, leaf in jax.tree_util.tree_leaves_with_path(batch):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
            found[name] = f"{dtype}{list(np.shape(leaf))}"
        return found

    if described(before) != described(after):
        raise ValueError(
            f"A batch holds {described(after)} and the one before {described(before)}; "
            "pad or drop the one that is cut short."
        )
