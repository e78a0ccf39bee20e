"""The race: what it learns, what it measures, and its exit code."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from recipes import speedrun
from recipes.races.line import options
from recipes.races.settings import Race
from recipes.races.texts import evaluation_parts
from recipes.speedrun import Result, run

TINY = Race(
    target=1.0,
    steps=120,
    batch_size=8,
    context=16,
    num_layers=1,
    num_heads=2,
    width=16,
    pair_buckets=64,
    triple_buckets=64,
)


def entropy_after_pairs(text: np.ndarray) -> float:
    """What the best guess from the two tokens before costs, in nats."""
    pairs = text[:-2] * 10 + text[1:-1]
    counts = np.zeros((100, 10))
    np.add.at(counts, (pairs, text[2:]), 1)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    return float(-(counts * np.log(shares.clip(1e-9))).sum() / counts.sum())


def test_layers_learn_what_pairs_cannot_tell():
    text = np.tile(np.array([0, 0, 0, 1]), 500).astype(np.int32)
    result = run(TINY, text, text[:401], seed=0)
    assert result.loss < 0.5 * entropy_after_pairs(text)


def test_every_target_is_measured_once():
    text = np.arange(23)
    windows, weights = evaluation_parts(text, context=4, rows=2)
    assert windows.shape == (3, 2, 5)
    assert sorted(windows[..., 1:][weights == 1.0]) == list(range(1, 23))


@pytest.mark.parametrize(("loss", "code"), [(1.885, 0), (1.886, 0), (1.887, 1), (np.nan, 1)])
def test_the_exit_code_says_whether_the_target_was_reached(
    loss: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(speedrun, "run", lambda *_, **__: Result(loss, np.zeros(1), {}, 0.1))
    path = tmp_path / "text.txt"
    path.write_text("to be or not to be")
    chosen = argparse.Namespace(data=path, target=1.886, seed=0)
    assert speedrun.main(chosen) == code
    assert ("reached" in capsys.readouterr().out) == (code == 0)


def test_a_target_names_the_shortest_race_that_may_reach_it(monkeypatch, tmp_path: Path):
    seen = []
    monkeypatch.setattr(
        speedrun, "run", lambda race, *_: seen.append(race) or Result(9.0, np.zeros(1), {}, 0.1)
    )
    path = tmp_path / "text.txt"
    path.write_text("to be or not to be")
    for target in (2.0, 1.886, 1.8, 1.4697):
        speedrun.main(argparse.Namespace(data=path, target=target, seed=0))
    short, long = speedrun.RACES
    assert seen == [short, short, long, long]


def test_a_text_that_is_not_there_is_refused_by_name(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["speedrun", "--data", "missing.txt"])
    with pytest.raises(SystemExit, match="2"):
        options(None)
    assert "--data missing.txt is no file; give the path of a text." in capsys.readouterr().err
