"""The report of a run, and that nothing about it can end training."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import drawn
import pytest

from recipes.data.sealed import write_sealed
from recipes.runs import pictures
from recipes.runs.folder import RunFolder
from recipes.runs.history import History, read_history
from recipes.runs.pictures import CURVE, REPORT, Pictures, write_pictures
from recipes.runs.report_page import report
from recipes.trainer.saved import RECORD

ROWS = [
    {"step": step, "train_loss": 4.0 - step / 100, "grad_norm": 1.0, "tokens": 64 * step}
    | {"seconds": step / 50.0, "skipped": 0}
    | ({"val_loss": 3.0 + abs(step - 60) / 100} if step % 20 == 0 else {})
    for step in range(10, 101, 10)
]


@pytest.fixture
def run(tmp_path: Path, finished: Path) -> RunFolder:
    """A run with made-up metrics and samples."""
    folder = RunFolder(tmp_path / "a <run>")
    (folder.path / "samples").mkdir(parents=True)
    for name in ("config.json", "env.json"):
        (folder.path / name).write_bytes((finished / name).read_bytes())
    for step in (20, 40, 60, 80, 100):
        folder.keep_sample(step, f"<b>text</b> of {step} & \x00")
    for step, loss in ((60, 3.0), (80, 3.2), (100, 3.4)):
        place = folder.checkpoints / f"step_{step:06d}"
        place.mkdir(parents=True)
        write_sealed(place / RECORD, {"val_loss": loss})
    return folder


def read(folder: RunFolder, rows: list[dict[str, object]] = ROWS) -> drawn.Page:
    return drawn.Page(report(folder, History(rows), parameters=12_345))


def test_the_page_says_how_far_how_well_and_how_fast(run: RunFolder) -> None:
    facts = dict(zip(*(read(run).texts[tag] for tag in ("dt", "dd")), strict=True))
    assert facts["step"] == "100of 10"
    assert facts["best validation loss"] == "3.0000at step 60"
    assert facts["last training loss"] == "3.0000"
    assert facts["tokens per second"] == "3,2006,400 in all"
    assert facts["parameters"] == "12,345"


def test_the_page_needs_no_other_file(run: RunFolder) -> None:
    page = read(run)
    assert page.addresses == []
    assert "link" not in page.tags
    assert "script" not in page.tags
    assert not re.search(
        r"url\(|@import|https?:", page.content.replace("http://www.w3.org/2000/svg", "")
    )


def test_samples_are_shown_as_they_are_the_last_one_first(run: RunFolder) -> None:
    page = read(run)
    assert page.texts["pre"] == [f"<b>text</b> of {step} & ␀" for step in (100, 80, 60, 40, 20)]
    assert "b" not in page.tags
    assert page.texts["summary"][0] == "step 100, validation loss 3.4000"


def test_many_samples_are_thinned_to_the_first_the_last_and_some_between(run: RunFolder) -> None:
    for step in range(20, 2001, 20):
        run.keep_sample(step, f"{step}")
    found = [int(text) for text in read(run).texts["pre"]]
    assert found[0] == 2000
    assert found[-1] == 20
    assert len(found) == len(set(found)) == 12


def test_checkpoints_are_listed_with_what_they_are_kept_for(run: RunFolder) -> None:
    cells = read(run).texts["td"]
    assert "validation loss 3.0000; the best" in cells
    assert "validation loss 3.4000; the last" in cells


def test_the_best_checkpoint_is_one_that_is_intact(run: RunFolder) -> None:
    (run.checkpoints / "step_000060" / RECORD).write_text("{}")
    cells = read(run).texts["td"]
    assert "validation loss 3.2000; the best" in cells
    assert "validation loss 3.0000; the best" not in cells


def test_all_settings_and_the_environment_are_listed(run: RunFolder) -> None:
    page = read(run)
    table = dict(zip(page.texts["th"], page.texts["td"], strict=True))
    assert table["features"] == "16"
    assert table["use_bias"] == "no"
    assert table["eval_every"] == "20"
    text = page.texts["main"][0]
    corpus = json.loads(run.env.read_text())["corpus"]
    assert corpus["sha256"] in text
    assert "orbax-checkpoint" in text


def test_a_run_without_rows_has_a_page(run: RunFolder) -> None:
    page = read(run, [])
    assert "not evaluated yet" in page.texts["main"][0]
    assert "nothing measured yet" in page.texts["svg"][0]


def test_the_curve_has_both_losses_and_the_best(run: RunFolder) -> None:
    write_pictures(run, History(ROWS))
    svg = (run.path / CURVE).read_text(encoding="utf-8")
    assert drawn.texts(svg, "title") == ["a <run>"]
    assert drawn.texts(svg, "key") == ["training", "validation, best 3"]
    assert [len(stroke) for stroke in drawn.strokes(svg)] == [10, 5]


def test_training_draws_itself_at_each_evaluation(
    tmp_path: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def noted(folder: RunFolder, history: History, parameters: int | None) -> None:
        steps.append(history.last_step)
        write_pictures(folder, history, parameters)

    monkeypatch.setattr(pictures, "write_pictures", noted)
    assert train("a", "--max-steps", "30") == 0
    # Each save is drawn once it is complete, which may be some rows later.
    assert len(steps) == 2
    assert steps[-1] == 30
    folder = RunFolder(tmp_path / "a")
    # 14 kinds of tokens, 16 positions, 16 features: tables, projections and MLP, three norms.
    count = 14 * 16 + 16 * 16 + (4 + 8) * 16 * 16 + 3 * 16
    assert (folder.path / REPORT).read_text(encoding="utf-8") == report(
        folder, read_history(folder), parameters=count
    )


def test_a_resumed_run_draws_the_steps_before_too(
    tmp_path: Path, train: Callable[..., int]
) -> None:
    assert train("a", "--max-steps", "20") == 0
    assert train("a", "--max-steps", "40", "--resume", "auto") == 0
    training, _ = drawn.strokes((tmp_path / "a" / CURVE).read_text(encoding="utf-8"))
    assert len(training) == 4


def test_pictures_that_cannot_be_written_are_said_once_and_training_goes_on(
    tmp_path: Path, train: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("a", "--max-steps", "20") == 0
    (tmp_path / "a" / REPORT).unlink()
    (tmp_path / "a" / REPORT).mkdir()
    capsys.readouterr()
    assert train("a", "--max-steps", "60", "--resume", "auto") == 0
    printed = capsys.readouterr().out
    assert printed.count("curve.svg and report.html are not up to date: Is a directory.") == 1


def test_a_fault_in_drawing_does_not_end_training(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> str:
        raise ZeroDivisionError("of a step")

    monkeypatch.setattr(pictures, "loss_curve", fails)
    shown = Pictures(run)
    assert "are not up to date: ZeroDivisionError('of a step')." in (shown.write() or "")
    assert shown.write() is None


def test_drawing_a_thousand_rows_takes_milliseconds(run: RunFolder) -> None:
    """Under 20, and five times that where the machine is slow: the least time of the processor."""
    rows = [{**ROWS[0], "step": step, "val_loss": 2.0 + 1 / step} for step in range(10, 10_010, 10)]
    history = History(rows)
    spent = []
    for _ in range(20):
        started = time.process_time()
        write_pictures(run, history)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.1
