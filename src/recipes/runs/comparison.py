"""Runs side by side: one picture, one table, and what their settings differ in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.runs.chart import Line, chart
from recipes.runs.folder import RunFolder, is_published
from recipes.runs.history import History, read_history
from recipes.runs.page import flattened, grid_of, page
from recipes.runs.report_page import LOSS, name_of

COLUMNS = (
    *("run", "steps", "best validation loss", "at step"),
    *("tokens/s", "seconds", "parameters"),
)
MISSING = "—"


@dataclass(frozen=True)
class Run:
    """A run that is compared.

    Attributes:
        name: Name of its folder, or its path where two have the same name.
        settings: Its settings.
        history: Its metrics.
        parameters: Number of parameters of its model.
    """

    name: str
    settings: dict[str, Any]
    history: History
    parameters: int

    def cells(self) -> list[str]:
        """Its row of the table."""
        history = self.history
        best, rate, seconds = history.best(), history.tokens_per_second(), history.last("seconds")
        return [
            self.name,
            f"{history.last_step:,}",
            *((f"{best[1]:.4f}", f"{best[0]:,}") if best else (MISSING, MISSING)),
            MISSING if rate is None else f"{rate:,.0f}",
            MISSING if seconds is None else f"{seconds:,.0f}",
            f"{self.parameters:,}",
        ]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read the runs in folders.

    Raises:
        RecipeError: A folder that holds no run, or a damaged one.
    """
    folders = [RunFolder(path) for path in paths]
    names = [name_of(folder) for folder in folders]
    counts = Counter(names)
    content = []
    for folder, name in zip(folders, names, strict=True):
        if is_published(folder.path):
            raise RecipeError(
                f"{str(folder.path)!r} holds a published model, which has no metrics.",
                "Give the folders of runs.",
            )
        unique = name if counts[name] == 1 else str(folder.path)
        content.append((unique, folder, folder.read_config(), read_history(folder)))
    # All mistakes are found before JAX is imported.
    recipes = [Recipe.from_json(settings) for _, _, settings, _ in content]
    from recipes.runs.published import parameter_count

    return [
        Run(name, settings, history, parameter_count(recipe, folder))
        for (name, folder, settings, history), recipe in zip(content, recipes, strict=True)
    ]


def settings_that_differ(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Settings that are not the same in all runs, with the value in each."""
    flat = [flattened(run.settings) for run in runs]
    names = dict.fromkeys(name for settings in flat for name in settings)
    values = {name: [settings.get(name, MISSING) for settings in flat] for name in names}
    return {name: found for name, found in values.items() if len(set(found)) > 1}


def best_of(runs: Sequence[Run]) -> int | None:
    """Place of the run with the lowest validation loss; None where none was evaluated."""
    losses = {place: best[1] for place, run in enumerate(runs) if (best := run.history.best())}
    return min(losses, key=losses.__getitem__, default=None)


def picture(runs: Sequence[Run]) -> str:
    """Draw the losses of runs: validation in full, training behind it."""
    training = [
        Line("", run.history.series("train_loss"), color=place, faint=True)
        for place, run in enumerate(runs)
    ]
    validation = [
        Line(run.name, run.history.series("val_loss"), color=place, marks=True)
        for place, run in enumerate(runs)
    ]
    title = f"Losses of {_title(runs)}, training thin"
    return chart([*training, *validation], title=title, unit=LOSS)


def comparison(runs: Sequence[Run]) -> str:
    """Write the page that compares runs."""
    differing = settings_that_differ(runs)
    rows = [[name, *values] for name, values in differing.items()]
    names = [run.name for run in runs]
    same = "" if rows or len(runs) == 1 else "<p>The same in all of them.</p>"
    return page(
        _title(runs),
        [
            f'<div class="card">{picture(runs)}</div>',
            grid_of(COLUMNS, [run.cells() for run in runs], best=best_of(runs)),
            *(["<h2>Settings that differ</h2>", same] if len(runs) > 1 else []),
            *([grid_of(["setting", *names], rows)] if rows else []),
        ],
    )


def _title(runs: Sequence[Run]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
