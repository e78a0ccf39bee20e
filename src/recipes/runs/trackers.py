"""Trackers: other programs that rows of metrics are sent to, beside the run's own file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from recipes.errors import RecipeError

if TYPE_CHECKING:
    from recipes.config import Recipe
    from recipes.runs.folder import RunFolder

PROJECT = "linen-blocks"
PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb", "trackio": "trackio"}


class Tracker(Protocol):
    """What rows are sent to."""

    def log(self, row: dict[str, Any]) -> None:
        """Send the numbers of a row, at its `step`."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class NoTracker:
    """Sends nothing."""

    def log(self, row: dict[str, Any]) -> None:
        """Ignore a row."""

    def close(self) -> None:
        """Do nothing."""


class TensorBoard:
    """Event files of TensorBoard, in the folder `tensorboard` of the run.

    Args:
        package: The package tensorboardX.
        folder: Folder of the run.
        step: Step that training goes on from; later events are hidden.
    """

    def __init__(self, package: Any, folder: RunFolder, step: int):
        self._writer = package.SummaryWriter(str(folder.path / "tensorboard"), purge_step=step + 1)

    def log(self, row: dict[str, Any]) -> None:
        """Write the numbers of a row."""
        for name, value in _numbers(row).items():
            self._writer.add_scalar(name, value, row["step"])

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class Hosted:
    """Weights & Biases, or trackio, which is called as it is.

    Each session of a run is a run there, in a group with the name of the folder.

    Args:
        package: The package wandb or trackio.
        folder: Folder of the run.
        config: Settings of the run.
    """

    def __init__(self, package: Any, folder: RunFolder, config: dict[str, Any]):
        self._package = package
        package.init(project=PROJECT, group=folder.path.name, config=config)

    def log(self, row: dict[str, Any]) -> None:
        """Send the numbers of a row."""
        self._package.log(_numbers(row), step=row["step"])

    def close(self) -> None:
        """Send what is left."""
        self._package.finish()


def open_tracker(recipe: Recipe, folder: RunFolder, step: int = 0) -> Tracker:
    """Open the tracker that the settings name.

    Args:
        recipe: Settings of the run.
        folder: Its folder.
        step: Step that training goes on from.

    Raises:
        RecipeError: Its package is not installed.
    """
    name = recipe.trainer.tracker
    if name is None:
        return NoTracker()
    try:
        package = importlib.import_module(PACKAGES[name])
    except ImportError as error:
        raise RecipeError(
            f"--trainer.tracker {name} needs the package {PACKAGES[name]}.",
            f"Run pip install {PACKAGES[name]}.",
        ) from error
    if name == "tensorboard":
        return TensorBoard(package, folder, step)
    return Hosted(package, folder, recipe.as_json())


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row besides its step."""
    return {
        name: float(value)
        for name, value in row.items()
        if name != "step" and isinstance(value, int | float)
    }
