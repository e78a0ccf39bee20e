"""Checkpoints: the state of a run as folders that are complete or absent."""

import json
import logging
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from recipes.errors import RecipeError
from recipes.trainer.arrays import (
    differing_leaves,
    read_arrays,
    same_bits,
    stored_leaves,
    write_arrays,
)
from recipes.trainer.digests import find_damage, write_digests
from recipes.trainer.state import TrainState

FORMAT = 1
ARRAYS, RECORD = "arrays", "record.json"
# Hidden, so that an incomplete folder is never listed.
HALF, DROPPED = ".half", ".dropped"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restored:
    """A restored checkpoint.

    Attributes:
        state: The training state, equal to the one that was saved.
        record: The record saved with it: `step`, `val_loss`, and the caller's entries.
        damaged: Descriptions of later checkpoints that are damaged, and were skipped.
    """

    state: TrainState
    record: dict[str, Any]
    damaged: tuple[str, ...] = ()


class DamagedError(RecipeError):
    """Error for a checkpoint whose files differ from what was written."""


class Checkpoints:
    """The last and the best checkpoints in a folder, one folder each: `step_000250`.

    A checkpoint is written to a temporary folder, which is renamed when arrays, record and the
    digests of both are complete, so that a process killed at any moment leaves no partial one.

    Attributes:
        directory: The folder.
        keep: Number of last checkpoints to keep, besides the best by validation loss.

    Raises:
        ValueError: `keep` below 1.
    """

    def __init__(self, directory: Path | str, *, keep: int = 2):
        if keep < 1:
            raise ValueError(f"keep={keep} must be at least 1; use 1 for the last step alone.")
        self.directory = Path(directory).absolute()
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps of all checkpoints, in order."""
        names = (re.fullmatch(r"step_(\d+)", path.name) for path in self.directory.glob("step_*"))
        return sorted(int(name[1]) for name in names if name)

    def best(self) -> int | None:
        """The step with the lowest validation loss, or the last one where none was evaluated.

        Steps whose records are damaged are passed over, and named in a warning.
        """
        steps = [step for step in self.steps() if self._has_record(step)]
        measured = [(loss, step) for step in steps if (loss := self._val_loss(step)) is not None]
        return min(measured)[1] if measured else (steps or self.steps() or [None])[-1]

    def save(self, state: TrainState, record: dict[str, Any]) -> Path:
        """Write the checkpoint of `state.step`, then delete those that need not be kept.

        Later steps are deleted too: they belong to a run that was resumed before them.

        Args:
            state: The state to save.
            record: Values for JSON, with `val_loss` where it was measured.

        Raises:
            RecipeError: The write fails; earlier checkpoints stay.
        """
        step = int(state.step)
        content = json.dumps({**record, "step": step, "format": FORMAT}, indent=1)
        place, half = self._path(step), self.directory / HALF
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if half.exists():
                shutil.rmtree(half)
            half.mkdir()
            arrays = _arrays(state)
            write_arrays(half / ARRAYS, arrays)
            if not same_bits(read_arrays(half / ARRAYS, arrays), arrays):
                raise OSError("what was written reads back as something else")
            (half / RECORD).write_text(content, encoding="utf-8")
            write_digests(half)
            if place.exists():
                self._drop(step)
            os.replace(half, place)
        # Orbax raises errors of the disk as ValueError.
        except (OSError, ValueError) as error:
            shutil.rmtree(half, ignore_errors=True)
            # The text after the first bracket is for debugging Orbax.
            reason = str(error).partition("\n")[0].partition(" [")[0]
            raise RecipeError(
                f"The checkpoint of step {step} could not be written: {reason}.",
                "Make room or mend the permissions, then use --resume auto.",
            ) from error
        self._prune(step)
        return place

    def restore(self, template: TrainState, step: int | None = None) -> Restored:
        """Restore a checkpoint into the structure of `template`, bit for bit.

        Args:
            template: A state of the same model and optimiser; its values do not matter.
            step: Step to restore; None takes the last intact one.

        Raises:
            RecipeError: There is none, its format or its arrays are not the template's, or its
                files are damaged.
        """
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
                return Restored(state, record, tuple(error.cause for error in passed))
        raise passed[0]

    def restore_params(self, like: Any) -> Any:
        """Restore the parameters with the lowest validation loss, whatever the optimiser.

        Args:
            like: Parameters of the model, or their shapes. `apply` would silently ignore those
                that a model does not have.

        Raises:
            RecipeError: There is no checkpoint, its files are damaged, or its parameters are not
                exactly those of the model.
        """
        step = self.best()
        if step is None:
            raise self._none()
        self._checked_record(step)
        arrays = self._path(step) / ARRAYS
        stored = stored_leaves(arrays)["params"]
        if differing := differing_leaves(stored, like):
            raise RecipeError(
                f"The checkpoint of step {step} is of another model: {differing}.",
                "Build the model from the config.json that the run was started with.",
            )
        return read_arrays(arrays, {"params": stored})["params"]

    def _restore(self, step: int, template: TrainState) -> tuple[TrainState, dict[str, Any]]:
        record = self._checked_record(step)
        arrays, like = self._path(step) / ARRAYS, _arrays(template)
        if differing := differing_leaves(stored_leaves(arrays), like):
            raise RecipeError(
                f"The checkpoint of step {step} is of another model or optimiser: {differing}.",
                "Resume with the settings that the run was started with.",
            )
        tree = read_arrays(arrays, like)
        key = jax.random.wrap_key_data(tree["key"], impl=jax.random.key_impl(template.key))
        return template.replace(**{**tree, "key": key}), record

    def _checked_record(self, step: int) -> dict[str, Any]:
        """Read the record of a checkpoint, after checking its files and format."""
        if damage := find_damage(self._path(step)):
            raise DamagedError(
                f"The checkpoint of step {step} is damaged: {damage}.",
                "Use --resume auto, which passes over damaged ones, or delete its folder.",
            )
        record = json.loads((self._path(step) / RECORD).read_bytes())
        if (found := record.pop("format", None)) != FORMAT:
            raise RecipeError(
                f"The checkpoint of step {step} has format {found}, and this version reads "
                f"{FORMAT}.",
                "Use the version of linen-blocks that wrote it; env.json names it.",
            )
        return record

    def _has_record(self, step: int) -> bool:
        """Whether the record of a checkpoint is what was written."""
        damage = find_damage(self._path(step), RECORD)
        if damage is not None:
            log.warning("The checkpoint of step %d is passed over: %s.", step, damage)
        return damage is None

    def _val_loss(self, step: int) -> float | None:
        """The validation loss of a checkpoint; None if there is none to compare."""
        try:
            loss = json.loads((self._path(step) / RECORD).read_bytes()).get("val_loss")
        except (OSError, ValueError, AttributeError):
            return None
        return loss if isinstance(loss, float | int) and math.isfinite(loss) else None

    def _prune(self, last: int) -> None:
        for later in [step for step in self.steps() if step > last]:
            self._drop(later)
        steps = self.steps()
        # What a damaged record says of its step is not a reason to delete it.
        damaged = [step for step in steps if find_damage(self._path(step), RECORD)]
        kept = {*steps[-self.keep :], self.best(), *damaged}
        for step in [step for step in steps if step not in kept]:
            self._drop(step)

    def _drop(self, step: int) -> None:
        """Delete a checkpoint; a failure does not stop the run."""
        dropped = self.directory / DROPPED
        try:
            if dropped.exists():
                shutil.rmtree(dropped)
            os.replace(self._path(step), dropped)
            shutil.rmtree(dropped)
        except OSError as error:
            log.warning("The checkpoint of step %d could not be deleted: %s.", step, error)

    def _none(self) -> RecipeError:
        return RecipeError(
            f"There is no checkpoint in {str(self.directory)!r}.", "Start the run anew."
        )

    def _path(self, step: int) -> Path:
        return self.directory / f"step_{step:06d}"


def _arrays(state: TrainState) -> dict[str, Any]:
    """The arrays of a state, with keys as raw data, which Orbax can store."""
    return {
        "step": state.step,
        "params": state.params,
        "opt_state": state.opt_state,
        "key": jax.random.key_data(state.key),
        "skipped": state.skipped,
    }
