"""The folder of a run that several processes train: the first one writes, the others read."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.runs.folder import RunFolder, claimed
from recipes.trainer.processes import check_same_everywhere, is_first, on_first


def on_all_devices(recipe: Recipe) -> Recipe:
    """Give a recipe that several processes train a mesh of all their devices, if it has none.

    Raises:
        RecipeError: A batch that the devices do not divide.
    """
    import jax

    if jax.process_count() == 1 or recipe.trainer.mesh is not None:
        return recipe
    mesh = f"data={jax.device_count()}"
    return replace(recipe, trainer=replace(recipe.trainer, mesh=mesh))


@contextlib.contextmanager
def claimed_together(path: Path, *, resume: bool, settings: dict[str, Any]) -> Iterator[RunFolder]:
    """Claim the folder of a run for all processes that train it.

    The others have a copy of it, in which they write what nobody reads, but for the checkpoints,
    which all write together; and they print nothing.

    Args:
        path: The folder. That of the first process counts.
        resume: Whether there may be a run.
        settings: What must be the same in all processes, fit for JSON.

    Raises:
        RecipeError: The folder cannot be claimed, or settings differ, in all processes; or a
            process was lost.
    """
    import jax

    with contextlib.ExitStack() as stack:
        folder = RunFolder(path)

        def claim() -> str:
            nonlocal folder
            folder = stack.enter_context(claimed(path, resume=resume))
            return str(folder.path.absolute())

        place = on_first(claim)
        if not is_first():
            folder = stack.enter_context(_copy(Path(place)))
            silence = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        # Only now, when all have read the folder, may the first process write to it.
        check_same_everywhere(settings)
        try:
            yield folder
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() == 1 or "RESOURCE_EXHAUSTED" in str(error):
                raise
            raise RecipeError(
                f"Another process was lost: {str(error).splitlines()[0]}",
                "Start all processes again with --resume auto.",
            ) from error


@contextlib.contextmanager
def _copy(path: Path) -> Iterator[RunFolder]:
    """A folder with the records of a run, and its checkpoints."""
    with tempfile.TemporaryDirectory(prefix="linen-blocks-") as temporary:
        folder = Path(temporary)
        for record in path.glob("*.json"):
            shutil.copy(record, folder)
        (folder / "checkpoints").symlink_to(path / "checkpoints")
        yield RunFolder(folder)
