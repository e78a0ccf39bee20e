"""`profile PRESET|RUN`: a trace of training steps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from recipes.config import Recipe
from recipes.data import load_corpus
from recipes.errors import RecipeError
from recipes.presets import preset
from recipes.runs.folder import RunFolder


@dataclass(frozen=True)
class Profile:
    """Trace a few training steps, and say what took most of their time.

    Attributes:
        preset: Settings to train with; `presets` lists them. Or the folder of a run.
        steps: Steps that are traced, after as many that are not.
        out: Folder of the trace; a new one below profiles/ if left out.
    """

    preset: tyro.conf.Positional[str] = "quick"
    steps: int = 10
    out: Path | None = None

    def __call__(self) -> int:
        """Write the trace, and print how to open it and a table."""
        if self.steps < 1:
            raise RecipeError(f"steps={self.steps} must be at least 1.", "Give steps a count.")
        folder = RunFolder(Path(self.preset))
        run = folder.exists
        recipe = Recipe.from_json(folder.read_config()) if run else preset(self.preset)
        names = ("weights", "validation", "text_column")
        options = {name: getattr(recipe, name) for name in names}
        corpus = load_corpus(*recipe.data, **options)
        out = self.out or Path("profiles") / time.strftime("%Y%m%d-%H%M%S")

        from recipes.runs.profiling import busiest, trace_steps

        traced = trace_steps(recipe, corpus, folder, steps=self.steps, out=out)
        rate = traced.tokens / traced.seconds
        print(f"steps  {self.steps} in {traced.seconds:.3f} s, {rate:,.0f} tokens per second")
        print(f"trace  {traced.path}")
        print(f"open   pip install xprof, then: xprof {out}\n")
        found = busiest(traced.path)
        for name, seconds in found:
            print(f"{seconds:>10.4f} s   {name}")
        return 0
