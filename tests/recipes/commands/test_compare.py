"""`compare`: runs with made-up metrics, side by side."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import drawn
import pytest

from recipes.commands import main
from recipes.config import Recipe
from recipes.runs.folder import RunFolder, write_json

Make = Callable[..., Path]
LOSSES = (3.0, 2.0, 2.5)


@pytest.fixture
def make(tmp_path: Path, finished: Path) -> Make:
    """Makes a run: its name, its validation losses at every tenth step, the width of its model."""
    known = Recipe.from_json(RunFolder(finished).read_config())

    def run(
        name: str, losses: tuple[float | None, ...] = LOSSES, features: int = 16, lr: float = 1e-3
    ) -> Path:
        path = tmp_path / name
        path.mkdir(parents=True)
        recipe = replace(
            known,
            model=replace(known.model, features=features),
            optimizer=replace(known.optimizer, learning_rate=lr, min_learning_rate=1e-4),
        )
        write_json(path / "config.json", recipe.as_json())
        rows = [
            {"step": 10 * n, "train_loss": 2.0, "tokens": 6400 * n, "seconds": 2.0 * n}
            | {"val_loss": loss}
            for n, loss in enumerate(losses, start=1)
        ]
        (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return run


def compare(*words: object) -> int:
    return main(["compare", *map(str, words)])


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
def test_each_run_is_a_row(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(make("narrow"), make("wide", (2.5, 1.5), features=32)) == 0
    printed = lines(capsys)
    # 14 kinds of tokens, 16 positions, one layer: tables, projections and MLP, three norms.
    narrow, wide = (30 * width + 12 * width**2 + 3 * width for width in (16, 32))
    assert ["narrow", "30", "2.0000", "20", "3,200", "6", f"{narrow:,}"] in printed
    assert ["wide", "20", "1.5000", "20", "3,200", "4", f"{wide:,}"] in printed


def test_settings_that_differ_are_listed_and_no_others(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(make("a"), make("b", features=32), make("c", lr=3e-3)) == 0
    printed = lines(capsys)
    assert ["model.features", "16", "32", "16"] in printed
    assert ["optimizer.learning_rate", "0.001", "0.001", "0.003"] in printed
    assert sum(bool(line) and "." in line[0] for line in printed) == 2


def test_equal_settings_are_said_to_be(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(make("a"), make("b")) == 0
    assert "The settings are the same in all of them." in capsys.readouterr().out


def test_runs_without_an_evaluation_or_a_row_are_compared_too(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(make("a", (None, None)), make("b", ())) == 0
    printed = lines(capsys)
    assert ["a", "20", "—", "—", "3,200", "4"] in [line[:6] for line in printed]
    assert ["b", "0", "—", "—", "—", "—"] in [line[:6] for line in printed]


def test_runs_of_one_name_are_told_apart_by_their_paths(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [make("x/run"), make("y/run")]
    assert compare(*paths) == 0
    first = [line[0] for line in lines(capsys) if line]
    assert all(str(path) in first for path in paths)


def test_the_page_has_the_picture_and_both_tables(make: Make, tmp_path: Path) -> None:
    runs = make("a [1]"), make("<b>", (2.5, 1.5), features=32)
    assert compare(*runs, "--out", tmp_path / "all.html") == 0
    page = drawn.Page((tmp_path / "all.html").read_text(encoding="utf-8"))
    assert page.addresses == []
    assert "b" not in page.tags
    assert page.texts["td"][:4] == ["a [1]", "30", "2.0000", "20"]
    assert page.texts["td"][14:] == ["model.features", "16", "32"]
    assert {"a [1]", "<b>"} <= set(page.texts["text"])


def test_the_picture_has_a_line_for_each_loss_of_each_run(make: Make, tmp_path: Path) -> None:
    runs = make("a"), make("b", (2.5, None, 1.5, 1.25))
    assert compare(*runs, "--out", tmp_path / "all.svg") == 0
    svg = (tmp_path / "all.svg").read_text(encoding="utf-8")
    assert drawn.texts(svg, "key") == ["a", "b"]
    # Training of both, then validation: that of b has a gap.
    assert [len(stroke) for stroke in drawn.strokes(svg)] == [3, 4, 3, 1, 2]
    level, end = (drawn.strokes(svg)[place][-1][1] for place in (0, 3))
    assert end != level
    assert drawn.strokes(svg)[0][0][1] == drawn.strokes(svg)[1][0][1] == level


@pytest.mark.parametrize(
    ("words", "cause", "fix"),
    [
        ("RUN nowhere", "'nowhere' holds no run", "folder"),
        ("RUN DAMAGED", "Line 4 of 'DAMAGED/metrics.jsonl' is not a row of metrics", "Delete"),
        ("RUN PUBLISHED", "'PUBLISHED' holds a published model", "folders of runs"),
        ("RUN --out x.png", "--out 'x.png' is neither a page nor a picture", ".html or .svg"),
        ("RUN --out RUN/config.json/x.svg", "cannot be written", "another path"),
        ("", "needs the folders of runs", "one or more"),
    ],
)
def test_mistakes_have_a_cause_and_a_fix(
    words: str,
    cause: str,
    fix: str,
    make: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make("RUN")
    with (make("DAMAGED") / "metrics.jsonl").open("a") as file:
        file.write('{"step": "forty"}\n')
    (tmp_path / "PUBLISHED").mkdir()
    (tmp_path / "PUBLISHED" / "config.json").write_text('{"model_type": "gpt2"}')
    assert compare(*words.split()) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert cause in first
    assert fix in second


def test_a_narrow_terminal_folds_names_and_cuts_no_number(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "72")
    assert compare(make("a-name-of-more-than-thirty-characters"), make("b")) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert printed.count("2.0000") == 2
