"""Batches of any iterable can be continued where they were."""

import grain
import numpy as np
import pytest
from recipes_tiny import Batches

from recipes.errors import RecipeError
from recipes.trainer.resumable import ResumableBatches


def numbers(stop: int = 10) -> ResumableBatches:
    return ResumableBatches(range(stop))


def sampled() -> grain.DataLoader:
    """Grain's loader, whose position is bytes."""
    sampler = grain.samplers.IndexSampler(10, shuffle=True, seed=3, num_epochs=1)
    return grain.DataLoader(data_source=range(10), sampler=sampler)


@pytest.mark.parametrize(
    "make",
    [
        lambda: list(range(10)),
        lambda: (n for n in range(10)),
        lambda: grain.MapDataset.range(10).shuffle(seed=1).to_iter_dataset(),
        sampled,
    ],
    ids=["list", "generator", "grain dataset", "grain loader"],
)
def test_going_on_gives_what_had_not_been_drawn(make) -> None:
    whole = list(ResumableBatches(make()))
    first = ResumableBatches(make())
    drawn = [next(first) for _ in range(4)]
    second = ResumableBatches(make())
    second.set_state(first.get_state())
    assert drawn + list(second) == whole
    assert sorted(whole) == list(range(10))


def test_a_position_of_its_own_is_kept() -> None:
    batches = ResumableBatches(Batches(7))
    np.testing.assert_array_equal(next(batches)["x"], next(Batches(7))["x"])
    assert batches.get_state() == {"position": 8}


@pytest.mark.parametrize("state", [None, 3, {}, {"batches": -1}, {"batches": 1.0}, {"next": 2}])
def test_a_position_that_was_not_counted(state: object) -> None:
    with pytest.raises(RecipeError, match="is not a number of batches from 0 on"):
        numbers().set_state(state)


def test_a_position_that_is_past() -> None:
    batches = numbers()
    next(batches)
    next(batches)
    with pytest.raises(RecipeError, match=r"\{'batches': 1\} is not a number of batches from 2 on"):
        batches.set_state({"batches": 1})


def test_a_position_after_the_end() -> None:
    with pytest.raises(RecipeError, match="end after 3, before the saved position 5"):
        numbers(3).set_state({"batches": 5})


def test_what_gives_no_batches() -> None:
    with pytest.raises(RecipeError, match="Batches were expected, and this is a int"):
        ResumableBatches(5)
