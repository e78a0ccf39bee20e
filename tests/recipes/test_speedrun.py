"""The race: what it learns, what it measures, and its exit code."""

import argparse
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from blocks import TokenEmbedding
from recipes import speedrun
from recipes.errors import RecipeError
from recipes.races.line import options
from recipes.races.settings import Race
from recipes.races.texts import evaluation_parts
from recipes.speedrun import MOST_STEPS, Result, build_gpt, losses, run, steps_at_once

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


def entropy_after_triples(text: np.ndarray) -> float:
    """What the best guess from the three tokens before costs, in nats."""
    triples = text[:-3] * 4 + text[1:-2] * 2 + text[2:-1]
    counts = np.zeros((8, 2))
    np.add.at(counts, (triples, text[3:]), 1)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    return float(-(counts * np.log(shares.clip(1e-9))).sum() / counts.sum())


def test_layers_learn_what_triples_cannot_tell():
    text = np.tile(np.array([0, 0, 0, 0, 0, 1]), 500).astype(np.int32)
    result = run(TINY, text, text[:401], seed=0)
    assert result.loss < 0.5 * entropy_after_triples(text)


def test_a_race_may_have_dropout_and_no_table_of_triples():
    race = replace(TINY, triple_buckets=None, dropout_rate=0.5)
    model = build_gpt(race, 5)
    assert isinstance(model.embed, TokenEmbedding)
    assert len(model.embed.added) == 1
    windows = np.arange(34).reshape(2, 17) % 5
    variables = model.init(jax.random.key(0), windows[:, :-1])["params"]
    draw = np.random.default_rng(0).normal
    params = {
        name: draw(size=leaf.shape) for name, leaf in flatten_dict(variables, sep=".").items()
    }
    kept = losses(build_gpt(replace(race, dropout_rate=0.0), 5), params, windows)
    np.testing.assert_array_equal(losses(model, params, windows), kept)
    one, two = (losses(model, params, windows, jax.random.key(seed)) for seed in (1, 2))
    assert not np.allclose(one, two)
    assert not np.allclose(one, kept)


@pytest.mark.parametrize("steps", [1, 110, 401, 1000, 1050])
def test_parts_of_a_race_have_the_same_number_of_steps(steps: int):
    size = steps_at_once(steps)
    assert steps % size == 0
    assert 1 <= size <= MOST_STEPS


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
    assert "--data missing.txt must be a file; give the path of a text." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "text to train on, 0, must be at least 65. Give a longer text."),
        (b"a" * 72, "text to train on, 64, must be at least 65. Give a longer text."),
        (b"caf\xe9", "not UTF-8: byte 0xe9 at offset 3. Convert the file to UTF-8."),
    ],
    ids=["empty", "as long as the context", "Latin-1"],
)
def test_an_unusable_text_is_refused(content: bytes, message: str, tmp_path: Path, capsys):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    assert speedrun.main(argparse.Namespace(data=path, target=1.886, seed=0)) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --data {path}: ")
    assert message in error


def test_a_held_out_text_without_a_target_is_refused():
    text = np.zeros(100, np.int32)
    with pytest.raises(RecipeError, match="text to validate on, 1, must be at least 2"):
        run(TINY, text, text[:1], seed=0)
