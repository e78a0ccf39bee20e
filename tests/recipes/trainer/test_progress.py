import io

import pytest
from rich.console import Console

from recipes.trainer.progress import TrainingProgress


def shown(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, **environment: str) -> str:
    """What three rows leave, 10 steps and 2 seconds apart; the last is an evaluation."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # Given no answer by us, rich asks the environment and the file.
    out = io.StringIO()
    out.isatty = lambda: terminal
    console = Console(file=out, highlight=False, soft_wrap=True, width=120)
    with TrainingProgress(100, console=console) as progress:
        progress.say("[bold] is text", style="red")
        for step in (10, 20, 30):
            row = {"step": step, "train_loss": 3.0, "skipped": 0, "tokens": 1600 * step}
            row["seconds"] = 5.0 + step / 5
            if step == 30:
                row |= {"val_loss": 2.5, "skipped": 2}
            progress.row(row, log=step == 20)
    return out.getvalue()


def test_a_pipe_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    # 20 steps in 4 seconds, and 70 to go.
    assert shown(monkeypatch, terminal=False) == (
        "[bold] is text\n"
        "step  20/100  loss 3.000  5.0 steps/s  8.0k tokens/s  16 s left\n"
        "step  30/100  loss 3.000  validation 2.500  2 steps skipped  5.0 steps/s  8.0k tokens/s"
        "  14 s left\n"
    )


def test_a_terminal_gets_a_bar_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, terminal=True)
    assert "━" in text
    assert "\x1b[31m[bold] is text" in text


def test_no_color_leaves_out_colour_and_keeps_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, terminal=True, NO_COLOR="1")
    assert "━" in text
    assert "\x1b[31m" not in text
