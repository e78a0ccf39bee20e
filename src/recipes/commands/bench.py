"""`bench PRESET`: what a preset costs on this machine, against what the machine can do."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from recipes.commands.size import known_vocabulary
from recipes.config import Recipe
from recipes.data.files import write_atomically
from recipes.errors import RecipeError
from recipes.memory import check_memory


@dataclass(frozen=True)
class Bench(Recipe):
    """Measure training, prefill and decoding of a preset, beside the limits of this machine.

    The tokens are random. Let no other program run meanwhile.

    Attributes:
        preset: Settings to start from; `presets` lists them. Or the folder of a run, or of a
            published model.
        out: File for the figures as JSON.
        turns: How often each is measured.
        seconds: How long training is measured each time, a row of steps at least.
        tokens: Tokens of a prompt, and as many that are drawn after it, three at least.
    """

    preset: tyro.conf.Positional[str] = "quick"
    out: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    turns: int = 5
    seconds: float = 2.0
    tokens: int = 128

    def __call__(self) -> int:
        """Measure, and print a table."""
        for name in ("turns", "tokens"):
            if getattr(self, name) < 1:
                raise RecipeError(
                    f"{name}={getattr(self, name)} must be at least 1.", f"Give {name} a count."
                )
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})
        if recipe.init_from is None:
            recipe = replace(recipe, model=known_vocabulary(recipe))
        check_memory(recipe)

        from recipes.bench.measure import measure
        from recipes.bench.table import table
        from recipes.runs.published import model_value

        model = model_value(recipe, Path(self.preset))
        options = {"turns": self.turns, "seconds": self.seconds, "tokens": self.tokens}
        figures = measure(recipe, model, self.preset, **options)
        print(table(figures))
        if self.out is not None:
            write_atomically(self.out, (json.dumps(figures.as_json(), indent=1) + "\n").encode())
        return 0
