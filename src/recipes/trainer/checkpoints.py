"""Checkpoints: the state of a run as folders that are complete or absent."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from recipes.errors import RecipeError
from recipes.trainer.state import TrainState

FORMAT = 1
ARRAYS, RECORD = "arrays", "record.json"


@dataclass(frozen=True)
class Restored:
    """What a checkpoint gives back.

    Attributes:
        state: The training state, equal to the one that was saved.
        record: What was saved with it: `step`, `val_loss`, and the caller's own.
    """

    state: TrainState
    record: dict[str, Any]


class Checkpoints:
    """The last and the best checkpoints in a folder, one folder each: `step_000250`.

    A checkpoint is written beside its place and moved there when its arrays and their digest are
    complete, so that a process killed at any moment leaves no half step.

    Attributes:
        directory: The folder.
        keep: Last checkpoints to keep; the best by validation loss is kept besides.
    """

    def __init__(self, directory: Path, *, keep: int = 2):
        self.directory = directory.absolute()
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps that there are, in order."""
        return sorted(int(path.name[5:]) for path in self.directory.glob("step_*[0-9]"))

    def best(self) -> int | None:
        """The step with the lowest validation loss, or the last one where none was evaluated."""
        steps = self.steps()
        losses = {step: self._record(step).get("val_loss") for step in steps}
        measured = [(loss, step) for step, loss in losses.items() if loss is not None]
        return min(measured)[1] if measured else (steps or [None])[-1]

    def save(self, state: TrainState, record: dict[str, Any]) -> Path:
        """Writes the checkpoint of `state.step`, then drops the ones that need not be kept.

        Args:
            state: To save.
            record: Fit for JSON, with `val_loss` where it was measured.

        Raises:
            RecipeError: The disk refuses; the checkpoints before this one stay.
        """
        step = int(state.step)
        place, half = self._path(step), self.directory / f".step_{step:06d}.half"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save(half / ARRAYS, _arrays(state))
            content = {**record, "step": step, "format": FORMAT, "digests": _digests(half / ARRAYS)}
            (half / RECORD).write_text(json.dumps(content, indent=1), "utf-8")
            if place.exists():
                shutil.rmtree(place)
            os.replace(half, place)
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"The checkpoint of step {step} could not be written: {error}.",
                "Make room or mend the permissions, then use --resume auto.",
            ) from error
        self._prune()
        return place

    def restore(self, template: TrainState, step: int | None = None) -> Restored:
        """Reads a checkpoint into the form of `template`, bit for bit.

        Args:
            template: A state of the same model and optimiser; its values do not matter.
            step: Which; None takes the last one that is whole.

        Raises:
            RecipeError: There is none, its format or its arrays are not the template's, or its
                files are damaged.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            listed = ", ".join(map(str, steps)) or "none"
            raise RecipeError(
                f"There is no checkpoint of step {step} in {str(self.directory)!r}.",
                f"There are: {listed}.",
            )
        candidates = [step] if step is not None else steps[::-1]
        if not candidates:
            raise RecipeError(
                f"There is no checkpoint in {str(self.directory)!r}.", "Start the run anew."
            )
        for position, candidate in enumerate(candidates):
            try:
                return self._restore(candidate, template)
            except DamagedError:
                if position == len(candidates) - 1:
                    raise
        raise AssertionError("unreachable: the last candidate returned or raised")

    def restore_params(self) -> Any:
        """The parameters with the lowest validation loss, whatever optimiser made them.

        Raises:
            RecipeError: There is no checkpoint, or its files are damaged.
        """
        step = self.best()
        if step is None:
            raise RecipeError(
                f"There is no checkpoint in {str(self.directory)!r} yet.", "Train the run first."
            )
        arrays, _ = self._checked(step)
        with ocp.StandardCheckpointer() as checkpointer:
            found = checkpointer.metadata(arrays).item_metadata
            target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), found)
            return checkpointer.restore(arrays, target)["params"]

    def _checked(self, step: int) -> tuple[Path, dict[str, Any]]:
        """The folder of a checkpoint's arrays and its record, once its files were found whole."""
        record = self._record(step)
        if record.get("format") != FORMAT:
            raise RecipeError(
                f"The checkpoint of step {step} has format {record.get('format')}, not {FORMAT}.",
                "Use the version of linen-blocks that wrote it; env.json names it.",
            )
        arrays = self._path(step) / ARRAYS
        for name, digest in {**record["digests"], **_digests(arrays)}.items():
            if record["digests"].get(name) != digest or not (arrays / name).is_file():
                raise DamagedError(
                    f"The checkpoint of step {step} is damaged: {name} is not what was written.",
                    "Use --resume auto, which takes the step before.",
                )
        return arrays, record

    def _restore(self, step: int, template: TrainState) -> Restored:
        arrays, record = self._checked(step)
        expected = jax.eval_shape(lambda: _arrays(template))
        with ocp.StandardCheckpointer() as checkpointer:
            _check_leaves(expected, checkpointer.metadata(arrays).item_metadata, step)
            tree = checkpointer.restore(arrays, expected)
        key = jax.random.wrap_key_data(tree["key"], impl=jax.random.key_impl(template.key))
        state = template.replace(**{**tree, "key": key})
        return Restored(state, {k: v for k, v in record.items() if k not in ("format", "digests")})

    def _path(self, step: int) -> Path:
        return self.directory / f"step_{step:06d}"

    def _record(self, step: int) -> dict[str, Any]:
        try:
            return json.loads((self._path(step) / RECORD).read_bytes())
        except (OSError, ValueError) as error:
            raise DamagedError(
                f"The checkpoint of step {step} is damaged: {RECORD} cannot be read.",
                "Use --resume auto, which takes the step before.",
            ) from error

    def _prune(self) -> None:
        steps = self.steps()
        kept = {*steps[-self.keep :], self.best()}
        for step in steps:
            if step not in kept:
                # Losing an old checkpoint to a fault of the disk is no reason to stop a run.
                shutil.rmtree(self._path(step), ignore_errors=True)


class DamagedError(RecipeError):
    """A checkpoint whose files are not what was written."""


def _arrays(state: TrainState) -> dict[str, Any]:
    """The arrays of a state; a key as its data, which stores know how to keep."""
    return {
        "step": state.step,
        "params": state.params,
        "opt_state": state.opt_state,
        "key": jax.random.key_data(state.key),
        "skipped": state.skipped,
    }


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check_leaves(expected: Any, found: Any, step: int) -> None:
    """Compares names, shapes and dtypes, which the store would partly cast in silence."""

    def described(tree: Any) -> dict[str, str]:
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        return {
            jax.tree_util.keystr(path, simple=True, separator="."): (
                f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
            )
            for path, leaf in leaves
        }

    want, have = described(expected), described(found)
    for name in sorted(want.keys() | have.keys()):
        if want.get(name) != have.get(name):
            raise RecipeError(
                f"The checkpoint of step {step} has {have.get(name, 'no leaf')} at {name}, and "
                f"this model and optimiser have {want.get(name, 'none')}.",
                "Resume with the settings that the run was started with.",
            )
