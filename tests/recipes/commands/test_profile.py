"""`profile` writes a trace of steps, of a preset or a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from recipes.commands import main
from recipes.config import Recipe
from recipes.data import load_corpus
from recipes.runs.folder import RunFolder
from recipes.runs.profiling import trace_steps
from recipes.trainer.loop import Trainer


@pytest.mark.slow
def test_steps_of_a_run_are_traced(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(finished.rglob("*"))
    assert main(["profile", str(finished), "--steps", "3", "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("steps  3 in ")
    assert Path(lines[1].split(maxsplit=1)[1]).stat().st_size > 0
    assert f"xprof {tmp_path / 'out'}" in lines[2]
    seconds = [float(line.split()[0]) for line in lines[4:]]
    assert 1 <= len(seconds) <= 10
    assert seconds == sorted(seconds, reverse=True)
    assert sorted(finished.rglob("*")) == before


def test_what_trains_is_what_trains_a_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []

    def rows(trainer, batches):  # which takes no time to compile
        trained.append(trainer)
        yield from [{"seconds": 1.0, "tokens": 4}, {"seconds": 3.0, "tokens": 10}]

    monkeypatch.setattr(Trainer, "train", rows)
    folder = RunFolder(finished)
    recipe = Recipe.from_json(folder.read_config())
    settings = replace(recipe.trainer, debug_checks=True, skip_spikes=True)
    corpus, recipe = load_corpus(*recipe.data), replace(recipe, trainer=settings)
    traced = trace_steps(recipe, corpus, folder, steps=1, out=tmp_path)
    assert (traced.seconds, traced.tokens) == (2.0, 6)
    assert trained[0]._step.skip
