import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.data.batches import evaluation_batches, split_tokens, training_batches
from recipes.errors import RecipeError


def starts(batches, count):
    """First inputs of the next `count` batches; where tokens are 0, 1, 2 ..., the offsets."""
    return np.concatenate([batch["inputs"][:, 0] for batch in itertools.islice(batches, count)])


def test_split_is_nine_tenths_and_one():
    train, validation = split_tokens(np.arange(1003), context=8)

    assert (len(train), len(validation)) == (902, 101)
    np.testing.assert_array_equal(np.concatenate([train, validation]), np.arange(1003))


@settings(deadline=None)
@given(context=st.integers(1, 40), length=st.integers(0, 500))
def test_split_is_refused_exactly_where_the_smaller_part_is_shorter_than_a_window(context, length):
    parts = length * 9 // 10, length - length * 9 // 10
    if min(parts) >= context + 1:
        assert tuple(map(len, split_tokens(np.zeros(length), context))) == parts
    else:
        with pytest.raises(RecipeError):
            split_tokens(np.zeros(length), context)


def test_training_targets_are_the_inputs_one_token_on():
    tokens = np.random.default_rng(0).permutation(1000)
    batch = next(training_batches(tokens, context=16, batch_size=8, seed=0))

    assert batch["inputs"].shape == batch["targets"].shape == (8, 16)
    assert batch["inputs"].dtype == batch["targets"].dtype == np.int32
    for inputs, targets in zip(batch["inputs"], batch["targets"], strict=True):
        start = tokens.tolist().index(inputs[0])
        np.testing.assert_array_equal(inputs, tokens[start : start + 16])
        np.testing.assert_array_equal(targets, tokens[start + 1 : start + 17])


@given(
    windows=st.integers(1, 30),
    context=st.integers(1, 8),
    batch_size=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=40)
def test_every_window_comes_once_in_each_epoch(windows, context, batch_size, seed):
    batches = training_batches(
        np.arange(windows + context), context=context, batch_size=batch_size, seed=seed
    )

    offsets = starts(batches, -(-3 * windows // batch_size))[: 3 * windows]
    for epoch in offsets.reshape(3, windows):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(windows))


def test_epochs_are_shuffled_differently():
    first, second = starts(
        training_batches(np.arange(1004), context=4, batch_size=10, seed=0), 200
    ).reshape(2, 1000)

    assert (first == np.arange(1000)).mean() < 0.01
    assert (first == second).mean() < 0.01


def test_the_seed_fixes_the_order():
    def order(seed):
        return starts(training_batches(np.arange(1004), context=4, batch_size=10, seed=seed), 100)

    np.testing.assert_array_equal(order(3), order(3))
    assert (order(3) == order(4)).mean() < 0.01


def resumable(batch_size=7, **other):
    settings = {"context": 4, "batch_size": batch_size, "seed": 5, **other}
    return training_batches(np.arange(54), **settings)


@pytest.mark.parametrize("position", [0, 7, 8, 22])
def test_a_restored_position_continues_exactly_across_the_ends_of_epochs(position):
    # 50 windows in batches of 7: epochs end inside batches 8, 15 and 22.
    whole = starts(resumable(), 24)
    stopped = resumable()
    starts(stopped, position) if position else None
    state = json.loads(json.dumps(stopped.get_state()))

    resumed = resumable()
    starts(resumed, 3)
    resumed.set_state(state)

    np.testing.assert_array_equal(starts(resumed, 24 - position), whole[7 * position :])


def test_a_position_does_not_move_with_the_batches_after_it():
    batches = resumable()
    state = batches.get_state()
    first = starts(batches, 5)
    batches.set_state(state)

    np.testing.assert_array_equal(starts(batches, 5), first)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(RecipeError, match=f"seed={seed} is out of range"):
        resumable(seed=seed)


def test_tokens_too_few_for_a_window_are_refused():
    with pytest.raises(RecipeError, match="has 4 tokens and one window needs 5"):
        training_batches(np.arange(4), context=4, batch_size=1, seed=0)
    with pytest.raises(RecipeError, match="has 1 tokens and one window needs 2"):
        evaluation_batches(np.arange(1), context=4, batch_size=1)


@settings(deadline=None)
@given(length=st.integers(2, 300), context=st.integers(1, 20), batch_size=st.integers(1, 9))
def test_evaluation_counts_every_target_once_after_its_own_past(length, context, batch_size):
    tokens = np.arange(1, length + 1)
    batches = evaluation_batches(tokens, context=context, batch_size=batch_size)

    counted = np.concatenate([batch["targets"][batch["weights"] == 1] for batch in batches])
    np.testing.assert_array_equal(counted, tokens[1:])
    assert sum(batch["weights"].sum() for batch in batches) == length - 1
    for batch in batches:
        real = batch["weights"] == 1
        np.testing.assert_array_equal(batch["inputs"][real] + 1, batch["targets"][real])
        assert not np.any(batch["weights"][~real])
        for name, dtype in {"inputs": np.int32, "targets": np.int32, "weights": np.float32}.items():
            assert batch[name].shape == (batch_size, context)
            assert batch[name].dtype == dtype


def test_evaluation_windows_start_afresh_every_context_tokens():
    (batch,) = evaluation_batches(np.arange(10), context=4, batch_size=3)

    assert batch["inputs"][:, 0].tolist() == [0, 4, 8]
