"""Progress display: a live bar on a terminal, plain lines in a pipe."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text


class TrainingProgress:
    """Progress display of rows: loss, rate, and the remaining time.

    The rate counts training alone, without compiling, evaluating and sampling. rich omits colour
    and animation if the output is not a terminal, and colour if `NO_COLOR` is set.

    Attributes:
        console: Console that is written to.
    """

    def __init__(self, max_steps: int, *, start: int = 0, console: Console | None = None):
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._max_steps = max_steps
        self._first: dict[str, Any] | None = None
        self._bar: Progress | None = None
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
                BarColumn(bar_width=24),
                TextColumn("{task.description}"),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task("compiling", total=max_steps, completed=start)

    def __enter__(self) -> "TrainingProgress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def row(self, row: dict[str, Any], *, log: bool) -> None:
        """Advance the bar; with `log`, or an evaluation in the row, also print a line."""
        text = "  ".join([*_measured(row), *self._rates(row)])
        if self._bar is not None:
            self._bar.update(self._task, completed=row["step"], description=text)
        if log or "val_loss" in row:
            width = len(str(self._max_steps))
            self.say(f"step {row['step']:>{width}}/{self._max_steps}  {text}")

    def say(self, text: str, style: str = "") -> None:
        """Print text above the bar."""
        # As a Text, so that its style does not affect the bar and brackets are not markup.
        self.console.print(Text(text, style=style))

    def _rates(self, row: dict[str, Any]) -> list[str]:
        """Steps and tokens per second since the first row, which includes the start."""
        if self._first is None:
            self._first = row
        steps, tokens, seconds = (
            row[name] - self._first[name] for name in ("step", "tokens", "seconds")
        )
        if seconds <= 0.0:
            return []
        rates = [f"{steps / seconds:.1f} steps/s", f"{tokens / seconds / 1000:.1f}k tokens/s"]
        remaining = self._max_steps - row["step"]
        return [*rates, f"{duration(remaining * seconds / steps)} left"] if remaining else rates


def duration(seconds: float) -> str:
    """Format a duration.

    Example:
        >>> duration(7.2), duration(754), duration(11_100)
        ('7 s', '13 min', '3 h 05 min')
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def _measured(row: dict[str, Any]) -> list[str]:
    texts = [f"loss {row['train_loss']:.3f}"]
    if "val_loss" in row:
        texts.append(f"validation {row['val_loss']:.3f}")
    if row["skipped"]:
        texts.append(f"{row['skipped']} steps skipped")
    return texts
