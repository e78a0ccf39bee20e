"""`compare RUN RUN...`: runs in one table and one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from recipes.errors import RecipeError

if TYPE_CHECKING:
    from recipes.runs.comparison import Run

# Wider than any terminal, so that a file or a pipe gets each row on one line.
UNBOUNDED = 400


@dataclass(frozen=True)
class Compare:
    """Compare runs: their steps, losses, speed, sizes, and the settings that differ.

    Attributes:
        runs: Folders of the runs.
        out: File to write too: .html for a page with picture and tables, .svg for the picture.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path | None = None

    def __call__(self) -> int:
        """Print the tables, and write the file."""
        if not self.runs:
            raise RecipeError("compare needs the folders of runs.", "Give one or more.")
        if self.out is not None and self.out.suffix not in (".html", ".svg"):
            raise RecipeError(
                f"--out {str(self.out)!r} is neither a page nor a picture.",
                "Give a name that ends in .html or .svg.",
            )
        from recipes.data.files import write_atomically
        from recipes.runs.comparison import comparison, picture, read_runs

        runs = read_runs(self.runs)
        _print_tables(runs)
        if self.out is not None:
            text = comparison(runs) if self.out.suffix == ".html" else picture(runs)
            try:
                write_atomically(self.out, text.encode())
            except OSError as error:
                raise RecipeError(
                    f"{str(self.out)!r} cannot be written: {error.strerror}.",
                    "Free disk space or fix the permissions, or give --out another path.",
                ) from error
            print(f"\n{self.out} is written.")
        return 0


def _print_tables(runs: list[Run]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from recipes.runs.comparison import COLUMNS, best_of, settings_that_differ

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=UNBOUNDED)
    first, *others = COLUMNS
    best, several = best_of(runs), len(runs) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        # In a narrow terminal the names of runs are folded, and no number is cut.
        table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
    for place, run in enumerate(runs):
        style = "bold green" if several and place == best else ""
        # As Texts, for a folder's name may hold brackets.
        table.add_row(*map(Text, run.cells()), style=style)
    console.print(table)
    if not several:
        return
    differing = settings_that_differ(runs)
    if not differing:
        console.print("The settings are the same in all of them.")
        return
    table = Table("setting", box=box.SIMPLE_HEAD, pad_edge=False)
    for run in runs:
        table.add_column(Text(run.name), overflow="fold")
    for name, values in differing.items():
        table.add_row(*map(Text, (name, *values)))
    console.print(table)
