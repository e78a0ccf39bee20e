"""Progress for people: a live bar on a terminal, plain lines in a pipe."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """Shows rows as they come.

    rich leaves out colour and motion where the output is no terminal or `NO_COLOR` is set.
    """

    def __init__(self, max_steps: int, *, start: int = 0, console: Console | None = None):
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._max_steps = max_steps
        self._start: tuple[int, int, float] | None = None
        self._first_step = start
        self._bar: Progress | None = None
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
                BarColumn(bar_width=24),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
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
        """Moves the bar; with `log`, or an evaluation in the row, leaves a line that stays."""
        text = self._text(row)
        if self._bar is not None:
            self._bar.update(self._task, completed=row["step"], description=text)
        if log or "val_loss" in row:
            width = len(str(self._max_steps))
            self.console.print(f"step {row['step']:>{width}}/{self._max_steps}  {text}")

    def say(self, text: str, style: str | None = None) -> None:
        """Leaves text above the bar."""
        self.console.print(text, style=style, markup=False)

    def _text(self, row: dict[str, Any]) -> str:
        text = f"loss {row['train_loss']:.3f}"
        if "val_loss" in row:
            text += f"  validation {row['val_loss']:.3f}"
        if self._start is None:
            # The first row has nothing before it to be measured against.
            self._start = (row["step"], row["tokens"], row["seconds"])
            steps, tokens, seconds = row["step"] - self._first_step, 0, row["seconds"]
        else:
            step, tokens_then, then = self._start
            steps, tokens, seconds = (
                row["step"] - step,
                row["tokens"] - tokens_then,
                row["seconds"] - then,
            )
        if steps and tokens and seconds > 0:
            rate = steps / seconds
            left = (self._max_steps - row["step"]) / rate
            text += f"  {rate:.1f} steps/s  {tokens / seconds / 1000:.1f}k tokens/s"
            text += f"  {left:.0f} s left" if left else ""
        return text
