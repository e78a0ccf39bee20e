"""Positions in the data that are damaged, or of another stream, are refused by name."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from small_recipe import SMALL, TEXT

from recipes.commands import main
from recipes.data.batches import TrainingBatches, training_batches
from recipes.data.sealed import read_sealed, write_sealed
from recipes.errors import RecipeError

pytestmark = pytest.mark.fault(34)


def resumable(**other: int) -> TrainingBatches:
    settings = {"context": 4, "batch_size": 7, "seed": 5, **other}
    return training_batches(np.arange(54), **settings)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: None,
        lambda state: [],
        lambda state: {},
        lambda state: {"next_index": 3},
        lambda state: state | {"next_batch": -1},
        lambda state: state | {"next_batch": 1.0},
        lambda state: state | {"next_batch": "3"},
        lambda state: state | {"next_batch": True},
        lambda state: state | {"next_batch": None},
        lambda state: state | {"more": 1},
        lambda state: {name: value for name, value in state.items() if name != "seed"},
    ],
)
def test_a_damaged_position_is_refused_and_changes_nothing(damage):
    batches = resumable()
    list(itertools.islice(batches, 3))
    before = batches.get_state()

    with pytest.raises(RecipeError, match=r"The saved data position .* is damaged"):
        batches.set_state(damage(batches.get_state()))

    assert batches.get_state() == before


@pytest.mark.parametrize(("name", "saved", "now"), [("batch_size", 8, 7), ("seed", 6, 5)])
def test_a_position_in_another_stream_is_refused_with_the_difference(name, saved, now):
    state = resumable(**{name: saved}).get_state()

    with pytest.raises(
        RecipeError, match=f"saved with {name}={saved}, and this run has {name}={now}"
    ):
        resumable().set_state(state)


def test_a_position_in_another_corpus_is_refused():
    state = training_batches(np.arange(55), context=4, batch_size=7, seed=5).get_state()

    with pytest.raises(RecipeError, match="saved with windows=51, and this run has windows=50"):
        resumable().set_state(state)


def test_a_position_past_the_end_of_all_numbers_is_refused():
    state = resumable().get_state() | {"next_batch": 2**70}

    with pytest.raises(RecipeError, match="is damaged"):
        resumable().set_state(state)


def test_a_checkpoint_with_a_damaged_position_is_named_and_nothing_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    run = tmp_path / "run"
    words = [*SMALL, "--data", str(tmp_path / "text.txt"), "--run-dir", str(run)]
    assert main([*words, "--max-steps", "10"]) == 0
    (record,) = run.rglob("record.json")
    content = read_sealed(record)
    content["position"]["next_batch"] = -3
    write_sealed(record, content)
    files = [run / "metrics.jsonl", record]
    before = [path.read_bytes() for path in files]

    assert main([*words, "--max-steps", "20", "--resume", "auto"]) == 2

    error = capsys.readouterr().err
    assert "The saved data position" in error
    assert "'next_batch': -3" in error
    assert [path.read_bytes() for path in files] == before
