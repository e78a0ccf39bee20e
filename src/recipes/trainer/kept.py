"""The checkpoints that a folder keeps, for those that read parameters and do not train."""

import logging
import os
import re
from pathlib import Path
from typing import Any

from recipes.data.files import cannot_read
from recipes.errors import RecipeError
from recipes.trainer.arrays import read_arrays, stored_leaves
from recipes.trainer.digests import leaf_digests
from recipes.trainer.leaves import differing_leaves
from recipes.trainer.metrics import ranked
from recipes.trainer.saved import (
    ARRAYS,
    DamagedError,
    check_digests,
    damaged,
    measured,
    read_record,
    verified_record,
)

log = logging.getLogger(__name__)


class KeptCheckpoints:
    """The complete checkpoints in a folder: which is best, and its parameters.

    Attributes:
        directory: The folder.
        monitor: Entry of the record that tells which is best.
        highest: Whether the best has the highest value of it, not the lowest.
    """

    def __init__(
        self, directory: Path | str, *, monitor: str = "val_loss", highest: bool = False
    ) -> None:
        # Of a link the place, which is the same in all processes.
        self.directory = Path(directory).resolve()
        self.monitor = monitor
        self.highest = highest

    def steps(self) -> list[int]:
        """The steps of all checkpoints, in order.

        Raises:
            RecipeError: The folder may not be read.
        """
        try:
            found = os.listdir(self.directory)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise cannot_read(self.directory, error) from error
        names = (re.fullmatch(r"step_(\d+)", name) for name in found)
        return sorted(int(name[1]) for name in names if name)

    def best(self) -> int | None:
        """The step whose monitored value is best, or the last one where none was measured.

        Steps whose records are damaged are passed over, and named in a warning.
        """
        return next(iter(self._ranked() or self.steps()[::-1]), None)

    def restore_params(self, like: Any) -> Any:
        """Restore the parameters with the lowest validation loss, whatever the optimiser.

        Damaged checkpoints are passed over, and named in a warning.

        Args:
            like: Parameters of the model, or their shapes. `apply` would silently ignore those
                that a model does not have.

        Raises:
            RecipeError: There is no checkpoint, all are damaged, or the parameters are not exactly
                those of the model.
        """
        damage = self._none()
        for step in self._ranked() or self.steps()[::-1]:
            try:
                return self._restore_params(step, like)
            except DamagedError as error:
                if not self._path(step).exists():
                    raise  # deleted, not damaged
                log.warning("%s It is passed over.", error.cause)
                damage = error
        raise damage

    def _restore_params(self, step: int, like: Any) -> Any:
        record = verified_record(self._path(step), step)
        fix = "Build the model from the config.json that the run was started with."
        return self._arrays(step, record, {"params": like}, "model", fix)["params"]

    def _arrays(
        self, step: int, record: dict[str, Any], like: dict[str, Any], what: str, fix: str
    ) -> Any:
        """Read the arrays of a checkpoint below the names of `like`, which must be all there are.

        Raises:
            RecipeError: Others are there, of another `what`, or they are damaged.
        """
        folder = self._path(step) / ARRAYS
        try:
            stored = stored_leaves(folder)
            asked = {name: stored[name] for name in stored if name.partition(".")[0] in like}
            differing = differing_leaves(asked, like)
            arrays = None if differing else read_arrays(folder, like)
        # Its files had the right digests a moment ago.
        except (OSError, ValueError, RecipeError) as error:
            raise damaged(step, f"{ARRAYS} cannot be read") from error
        if differing:
            raise RecipeError(
                f"The checkpoint of step {step} is of another {what}: {differing}.", fix
            )
        check_digests(step, record["arrays"], leaf_digests(arrays))
        return arrays

    def _ranked(self) -> list[int]:
        """Steps with intact records: by the monitored value, then without one, the last first."""
        values = dict[int, float | None]()
        for step in self.steps():
            try:
                values[step] = measured(read_record(self._path(step), step), self.monitor)
            except RecipeError as error:
                if self._path(step).exists():  # not deleted meanwhile
                    log.warning("%s It is passed over.", error.cause)
        best = ranked(values, highest=self.highest)
        return best + [step for step in [*values][::-1] if step not in best]

    def _none(self) -> RecipeError:
        return RecipeError(
            f"There is no checkpoint in {str(self.directory)!r}.", "Start the run anew."
        )

    def _path(self, step: int) -> Path:
        return self.directory / f"step_{step:06d}"
