"""One session of a run, from its start or a checkpoint to its last step or an interrupt."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol

import jax

from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.runs.folder import NOT_FINITE, Resume, RunFolder
from recipes.runs.history import History
from recipes.runs.pictures import Pictures
from recipes.runs.report import failed_after, given_up, spiked, stopped
from recipes.runs.trackers import NoTracker, Tracker, open_tracker
from recipes.trainer.background import BackgroundSaves
from recipes.trainer.checkpoints import Checkpoints, Restored
from recipes.trainer.loop import Batch, Row, Trainer
from recipes.trainer.metrics import MetricsFile, parse_metrics
from recipes.trainer.not_finite import NotFiniteError
from recipes.trainer.processes import is_first, on_first
from recipes.trainer.progress import TrainingProgress
from recipes.trainer.signals import Interrupt
from recipes.trainer.state import TrainState


class _Movable(Protocol):
    """Batches whose position can be set."""

    def set_state(self, state: dict[str, int]) -> None:
        """Continue at a position."""
        ...


def restore(
    state: TrainState, batches: _Movable, folder: RunFolder, resume: Resume | None
) -> Restored:
    """Read the checkpoint to resume from, and move the batches to its position.

    Args:
        state: State before the first step; returned where nothing is resumed.
        batches: Batches of the run, at their start.
        folder: Folder of the run.
        resume: The step to go on from; None for a new run.

    Raises:
        RecipeError: There is no such checkpoint, or it is damaged or of other settings.
    """
    checkpoints = Checkpoints(folder.checkpoints)
    steps = checkpoints.steps()
    if resume is None or resume.step == 0 or (resume.step == "auto" and not steps):
        return Restored(state, {"tokens": 0, "seconds": 0.0}, later=tuple(steps))
    restored = checkpoints.restore(state, None if resume.step == "auto" else resume.step)
    batches.set_state(restored.record["position"])
    return restored


class Session:
    """Context that writes the results of training to the folder of a run, and displays them.

    Within this context the first interrupt lets a row finish and be saved.

    Attributes:
        exit_code: Exit code: 0, or 128 plus the number of the signal that ended training.
    """

    def __init__(self, recipe: Recipe, folder: RunFolder, trainer: Trainer, saved: Restored):
        self.exit_code = 0
        self._saved = saved
        self._trainer = trainer
        self._folder = folder
        self._recipe = recipe
        self._end = recipe.trainer.max_steps
        self._log_every = 10 * recipe.trainer.log_every
        self._interrupt = Interrupt()
        self._interrupted = False
        self._row: Row | None = None
        self._kept = False
        self._saves = BackgroundSaves(Checkpoints(folder.checkpoints))
        self._progress = TrainingProgress(self._end, start=int(trainer.state.step))
        count = sum(leaf.size for leaf in jax.tree.leaves(trainer.state.params))
        self._pictures = Pictures(folder, saved.metrics, count)
        step = int(trainer.state.step)
        self._tracker = open_tracker(recipe, folder, step) if is_first() else NoTracker()
        self._exits = ExitStack()

    def __enter__(self) -> "Session":
        with ExitStack() as entered:
            entered.enter_context(self._progress)
            entered.enter_context(self._interrupt)
            entered.enter_context(self._saves)
            entered.callback(self._use_tracker, lambda tracker: tracker.close())
            self._exits = entered.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        failure = None
        try:
            if isinstance(error, Exception) and not isinstance(error, RecipeError):
                failure = self._failed(error)
        finally:
            self._exits.__exit__(kind, error, traceback)
        if failure is not None:
            raise failure from error

    def _failed(self, error: Exception) -> RecipeError | None:
        """Save the row that was being worked on, if any, and say what failed."""
        if (row := self._row) is None:
            return None
        failed = "evaluation" if not self._kept else "sample"
        if not self._kept:
            self._interrupted = True
            self.keep(row)
        self._saves.wait()
        return failed_after(row["step"], failed, error, self._folder)

    def say(self, text: str, style: str = "") -> None:
        """Print text above the progress bar."""
        self._progress.say(text, style=style)

    @property
    def lacks_sample(self) -> bool:
        """Whether a process was killed after the step that is resumed, before its sample."""
        record, folder = self._saved.record, self._folder
        if record.get("val_loss") is None:
            return False
        # The first process alone sees the samples.
        return on_first(lambda: not folder.has_sample(record["step"]))

    def rows(self, batches: Iterable[Batch]) -> Iterator[Row]:
        """Train, and yield rows of metrics until the last step or an interrupt."""
        start = int(self._trainer.state.step)
        self._metrics = MetricsFile(self._folder.metrics, rows=self._saved.metrics)
        if start >= self._end:
            return
        try:
            for row in self._trainer.train(batches):
                # Read once: a signal that comes later belongs to the next row.
                signal = self._interrupt.agree()
                self._interrupted = signal is not None
                self._row, self._kept = row, False
                yield row
                self._row = None
                if signal is not None and row["step"] < self._end:
                    self._saves.wait()
                    self.say(stopped(signal, row["step"], self._folder))
                    self.exit_code = self._interrupt.exit_code
                    return
                if "val_loss" in row and row["step"] < self._end and self._ran_out_of_patience():
                    return
        except NotFiniteError as error:
            raise self._given_up(error) from error

    def keep(self, row: Row) -> None:
        """Write a row, and a checkpoint where the row was evaluated or training stops.

        Raises:
            RecipeError: The write fails, or that of the checkpoint before.
        """
        self._kept = True
        self._saves.check()
        self._metrics.append(row)
        self._pictures.add(row)
        self._use_tracker(lambda tracker: tracker.log(row))
        self._progress.row(row, log=row["step"] % self._log_every == 0)
        if row.get("spikes"):
            self.say(spiked(row, self._recipe.trainer))
        if "val_loss" in row or self._interrupted:
            self._save(self._trainer.state, row)

    def show(self, step: int, text: str) -> None:
        """Write a sample to the folder and print its beginning, the last one whole.

        Raises:
            RecipeError: The write fails.
        """
        self._folder.keep_sample(step, text)
        self.say(text if step == self._end else text[:160], style="dim")

    def _use_tracker(self, use: Callable[[Tracker], None]) -> None:
        """Use the tracker; one that fails is named once, and training goes on without it."""
        try:
            use(self._tracker)
        except Exception as error:
            self._tracker = NoTracker()
            self.say(
                f"The tracker failed: {error!r}. Training goes on; metrics.jsonl has all rows."
            )

    def _ran_out_of_patience(self) -> bool:
        """Whether so many evaluations were no better than an earlier one; if so it is said."""
        patience = self._recipe.trainer.patience
        if patience is None:
            return False
        history = History(parse_metrics(self._metrics.rows, str(self._folder.metrics)))
        step, lowest = history.best() or (history.last_step, math.nan)
        since = int((history.series("val_loss").steps > step).sum())
        if since < patience:
            return False
        self.say(
            f"Stopped: {since} evaluations were no better than that of step {step}, which had "
            f"{lowest:.3f} nats per token. `sample` and `eval` use that step."
        )
        return True

    def _settle(self) -> None:
        """Do what waits for a checkpoint to be complete: the pictures show it too."""
        self._metrics.settle()
        if failure := self._pictures.write():
            self.say(failure)

    def _given_up(self, error: NotFiniteError) -> RecipeError:
        """Save the last finite parameters and the batches, and say how to go on."""
        state, began = self._trainer.state, error.row["step"] - error.count
        # What was saved when they began, or later, has the same parameters.
        self._saves.wait()
        steps = Checkpoints(self._folder.checkpoints).steps()
        before = max((step for step in steps if step < began), default=0)
        self._metrics.append(error.row)
        self._pictures.add(error.row)
        # A run that goes on from here may skip as many steps again.
        self._save(state.replace(skipped=0 * state.skipped), error.row)
        self._saves.wait()
        self._folder.keep_arrays(NOT_FINITE, error.batches)
        return given_up(error, before, self._recipe.optimizer, self._folder)

    def _save(self, state: TrainState, row: Row) -> None:
        rows = self._metrics.rows
        self._saves.save(state, self._record(row), metrics=rows, then=self._settle)

    def _record(self, row: Row) -> dict[str, Any]:
        trainer = self._trainer
        counted = {"tokens": trainer.tokens, "seconds": trainer.seconds}
        return {"position": trainer.position, **counted, "val_loss": row.get("val_loss")}
