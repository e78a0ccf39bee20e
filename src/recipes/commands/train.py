"""`train PRESET`: train a model on a text."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from recipes.config import Recipe
from recipes.data import check_kind, load_corpus
from recipes.data.corpora import anywhere, with_input
from recipes.data.kinds import is_path
from recipes.errors import RecipeError
from recipes.memory import check_memory
from recipes.runs.folder import Resume, RunFolder
from recipes.runs.record import changes
from recipes.runs.shared import claimed_together, on_all_devices
from recipes.trainer.processes import Processes


@dataclass(frozen=True)
class Train(Recipe):
    """Train a GPT on a text; every setting of the preset can be changed.

    Attributes:
        preset: Settings to start from; `presets` lists them. A run that is resumed has its own.
        run_dir: Folder of the run; a new one below runs/ if left out.
        resume: never; auto goes on from the last checkpoint, if there is one; or a step, of which 0
            is the start.
        change: Whether a resumed run goes on with other settings of the optimiser, where given.
        max_steps: Short for trainer.max_steps.
        mesh: Short for trainer.mesh.
        processes: Which of several processes this is.
    """

    preset: tyro.conf.Positional[str] = "quick"
    run_dir: Path | None = None
    resume: str = "never"
    change: bool = False
    max_steps: int | None = None
    mesh: str | None = None
    processes: Annotated[Processes, tyro.conf.arg(name="")] = Processes()

    def __call__(self) -> int:
        """Train, after the checks that do not need JAX."""
        resume = self._resume()
        if resume is None:
            check_kind(self.tokenizer)  # Refused before a large text is read.
        names = tuple(map(with_input, self.data))
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})
        options = {name: getattr(self, name) for name in ("weights", "validation", "text_column")}
        corpus = load_corpus(*names, **options)
        # The run must find its text again from another folder.
        held_out = tuple(map(anywhere, self.validation))
        recipe = replace(recipe, data=tuple(map(anywhere, names)), validation=held_out)
        if is_path(self.tokenizer):
            recipe = replace(recipe, tokenizer=_absolute(self.tokenizer))
        if self.init_from is not None and Path(self.init_from).expanduser().is_dir():
            recipe = replace(recipe, init_from=_absolute(self.init_from))
        short = {"max_steps": self.max_steps, "mesh": self.mesh}
        given = {name: value for name, value in short.items() if value is not None}
        recipe = replace(recipe, trainer=replace(recipe.trainer, **given))
        check_memory(recipe)
        path = self.run_dir or _new_folder(self.preset)
        if resume is not None and resume.step != "auto":
            # A step to resume at exists only where there is a run.
            RunFolder(path).read_config()
        self.processes.join()
        from recipes.nanogpt import train

        recipe = on_all_devices(recipe)
        settings = {**recipe.as_json(), "corpus": corpus.sha256, "resume": str(resume)}
        with claimed_together(path, resume=resume is not None, settings=settings) as folder:
            if resume is not None and folder.exists:
                for text in changes(folder.read_config(), recipe, resume):
                    print(f"changed {text}")
            return train(recipe, corpus, folder, resume=resume)

    def _resume(self) -> Resume | None:
        """How to go on with a run; None for a new one."""
        if self.resume == "never":
            if self.change:
                raise RecipeError("--change is for a run that is resumed.", "Add --resume auto.")
            return None
        if self.run_dir is None:
            raise RecipeError(
                f"--resume {self.resume} needs the folder of a run.", "Add --run-dir FOLDER."
            )
        if self.resume == "auto":
            return Resume(change=self.change)
        if not self.resume.isdecimal():
            raise RecipeError(
                f"--resume {self.resume} is not a step.", "Use never, auto or the number of a step."
            )
        return Resume(int(self.resume), change=self.change)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _new_folder(name: str) -> Path:
    """A folder below runs/ that does not exist yet, named by the preset and the time."""
    path = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 2
    while path.exists():
        path = path.with_name(f"{path.name.partition('_')[0]}_{number}")
        number += 1
    return path
