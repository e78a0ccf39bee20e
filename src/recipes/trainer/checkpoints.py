"""Checkpoints: the state of a run as folders that are complete or absent."""

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax

from recipes.data.sealed import write_sealed
from recipes.errors import RecipeError
from recipes.trainer.arrays import stored_digests, write_arrays
from recipes.trainer.digests import file_digests, leaf_digests
from recipes.trainer.kept import KeptCheckpoints
from recipes.trainer.metrics import without_nan
from recipes.trainer.processes import is_first, on_first
from recipes.trainer.saved import (
    ARRAYS,
    FORMAT,
    METRICS,
    RECORD,
    DamagedError,
    drop,
    verified_record,
)
from recipes.trainer.state import TrainState, arrays_of

# Hidden, so that an incomplete folder is never listed.
HALF, DROPPED, REPLACED = ".half", ".dropped", ".replaced_"


@dataclass(frozen=True)
class Restored:
    """A restored checkpoint.

    Attributes:
        state: The training state, equal to the one that was saved.
        record: The record saved with it: `step`, and the caller's entries.
        damaged: Descriptions of later checkpoints that are damaged, and were skipped.
        later: Steps of all later checkpoints, which the next save deletes.
        metrics: Rows of metrics up to this step.
    """

    state: TrainState
    record: dict[str, Any]
    damaged: tuple[str, ...] = ()
    later: tuple[int, ...] = ()
    metrics: bytes = b""

    @property
    def step(self) -> int:
        """Step of the state."""
        return int(self.state.step)


class Checkpoints(KeptCheckpoints):
    """The last and the best checkpoints in a folder, one folder each: `step_000250`.

    A checkpoint is written to a temporary folder, which is renamed when arrays, metrics and the
    record with the digests of both are complete, so that a process killed at any moment leaves no
    partial one.
    Of several processes each writes its arrays, and the first all else.

    Attributes:
        directory: The folder.
        keep: Number of last checkpoints to keep, besides the best.
        monitor: Entry of the record that tells which is best.
        highest: Whether the best has the highest value of it, not the lowest.

    Raises:
        ValueError: `keep` below 1.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        keep: int = 2,
        monitor: str = "val_loss",
        highest: bool = False,
    ):
        if keep < 1:
            raise ValueError(f"keep={keep} must be at least 1; use 1 for the last step alone.")
        super().__init__(directory, monitor=monitor, highest=highest)
        self.keep = keep

    def save(self, state: TrainState, record: dict[str, Any], *, metrics: bytes = b"") -> Path:
        """Write the checkpoint of `state.step`, then delete those that need not be kept.

        Later steps are deleted too: they belong to a run that was resumed before them.

        Args:
            state: The state to save.
            record: Values for JSON, with the monitored one where it was measured; a number that is
                not finite becomes None.
            metrics: Rows of metrics up to this step.

        Raises:
            RecipeError: The write fails; earlier checkpoints stay.
        """
        step, half, arrays = int(state.step), self.directory / HALF, arrays_of(state)
        try:
            on_first(self._begin)
            digests = leaf_digests(arrays)
            write_arrays(half / ARRAYS, arrays)
            if stored_digests(half / ARRAYS, arrays) != digests:
                raise OSError("what was written reads back as something else")
            content = {**without_nan(record), "step": step, "format": FORMAT, "arrays": digests}
            on_first(partial(self._complete, step, content, metrics))
        # Orbax raises errors of the disk as ValueError.
        except (OSError, ValueError) as error:
            if is_first():
                shutil.rmtree(half, ignore_errors=True)
            # The text after the first bracket is for debugging Orbax.
            reason = str(error).partition("\n")[0].partition(" [")[0]
            if isinstance(error, OSError) and error.strerror:
                place = f"{str(error.filename)!r}: " if error.filename else ""
                reason = place + error.strerror
            raise RecipeError(
                f"The checkpoint of step {step} could not be written: {reason}.",
                "Free disk space or fix the permissions, then use --resume auto.",
            ) from error
        return self._path(step)

    def restore(self, template: TrainState, step: int | None = None) -> Restored:
        """Restore a checkpoint into the structure of `template`, bit for bit.

        Args:
            template: A state of the same model and optimiser; its values do not matter.
            step: Step to restore; None takes the last intact one.

        Raises:
            RecipeError: There is none, its format or its arrays are not the template's, or its
                files are damaged.
        """
        on_first(self._recover)
        steps = self.steps()
        if not steps:
            raise self._none()
        if step is not None and step not in steps:
            raise RecipeError(
                f"There is no checkpoint of step {step} in {str(self.directory)!r}.",
                f"There are: {', '.join(map(str, steps))}.",
            )
        passed: list[DamagedError] = []
        for candidate in steps[::-1] if step is None else [step]:
            try:
                state, record = self._restore(candidate, template)
            except DamagedError as error:
                passed.append(error)
            else:
                causes = tuple(error.cause for error in passed)
                later = tuple(found for found in steps if found > candidate)
                metrics = (self._path(candidate) / METRICS).read_bytes()
                return Restored(state, record, causes, later, metrics)
        raise passed[0]

    def _restore(self, step: int, template: TrainState) -> tuple[TrainState, dict[str, Any]]:
        record = verified_record(self._path(step), step)
        fix = "Resume with the settings that the run was started with."
        tree = self._arrays(step, record, arrays_of(template), "model or optimiser", fix)
        del record["arrays"]
        key = jax.random.wrap_key_data(tree["key"], impl=jax.random.key_impl(template.key))
        return template.replace(**{**tree, "key": key}), record

    def _begin(self) -> None:
        """Make an empty folder to write to."""
        half = self.directory / HALF
        self.directory.mkdir(parents=True, exist_ok=True)
        self._recover()
        if half.exists():
            shutil.rmtree(half)
        half.mkdir()

    def _complete(self, step: int, record: dict[str, Any], metrics: bytes) -> None:
        """Write the rest beside the arrays, and give the folder its name."""
        place, half = self._path(step), self.directory / HALF
        (half / METRICS).write_bytes(metrics)
        write_sealed(half / RECORD, {**record, "files": file_digests(half)})
        if place.exists():
            os.replace(place, self.directory / f"{REPLACED}{step:06d}")
        os.replace(half, place)
        self._recover()
        self._prune(step)

    def _prune(self, last: int) -> None:
        for later in [step for step in self.steps() if step > last]:
            drop(self._path(later), self.directory / DROPPED)
        # What a damaged record says of its step is not a reason to delete it: it is not ranked.
        intact = self._ranked()
        for step in {*intact[1:]} - {*self.steps()[-self.keep :]}:
            drop(self._path(step), self.directory / DROPPED)

    def _recover(self) -> None:
        """Put back a step that was about to be replaced, or delete it if it was."""
        for aside in self.directory.glob(f"{REPLACED}*"):
            place = self._path(int(aside.name.removeprefix(REPLACED)))
            if place.exists():
                shutil.rmtree(aside, ignore_errors=True)
            else:
                os.replace(aside, place)
