"""`doctor`: what this machine has, and whether it trains, writes and resumes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from recipes.commands.failures import explained
from recipes.commands.size import in_units
from recipes.errors import RecipeError
from recipes.memory import memory_limit


@dataclass(frozen=True)
class Doctor:
    """Check this machine: versions, devices, memory, disk, a write and a resume, in seconds.

    Attributes:
        run_dir: Folder that runs are to be written in.
    """

    run_dir: Path = Path("runs")

    def __call__(self) -> int:
        """Print a table of what was found; the exit code is 2 if anything fails."""
        failed = False
        with ExitStack() as stack:
            for name, check in self._checks(stack):
                try:
                    print(f"{name:<10}{check()}", flush=True)
                except Exception as error:
                    if (known := explained(error)) is None:
                        raise
                    print(f"{name:<10}FAILED: {known.cause}\n{'':<10}fix: {known.fix}", flush=True)
                    failed = True
        return 2 if failed else 0

    def _checks(self, stack: ExitStack) -> Iterator[tuple[str, Callable[[], str]]]:
        folders = (self.run_dir, *self.run_dir.absolute().parents)
        place = next(path for path in folders if path.is_dir())
        from recipes.runs import health

        yield "versions", health.versions
        yield "devices", health.devices
        yield "memory", _memory
        yield "disk", lambda: f"{in_units(shutil.disk_usage(place).free)} free in {place}"
        trials: list[health.Trial] = []

        def write() -> str:
            folder = tempfile.TemporaryDirectory(prefix=".doctor-", dir=place)
            trial = health.Trial(Path(stack.enter_context(folder)))
            written = trial.write()
            trials.append(trial)
            return written

        def resume() -> str:
            if not trials:
                raise RecipeError(
                    "There is nothing to resume from.", "Resolve the failed write above."
                )
            return trials[0].resume()

        yield "write", write
        yield "resume", resume


def _memory() -> str:
    import jax

    limit = memory_limit()
    found = ["unknown" if limit is None else f"{in_units(limit)} for this process"]
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        found.append(f"{in_units(stats['bytes_limit'])} on each device")
    return ", ".join(found)
