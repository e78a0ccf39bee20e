"""Windows over documents: joined, packed with segment ids, padded with weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.data.batches import evaluation_batches, training_batches
from recipes.data.encoded import EncodedText


def text_of(*lengths: int) -> EncodedText:
    """Tokens 100, 101, ... of documents of these lengths."""
    starts = np.cumsum([0, *lengths[:-1]])
    return EncodedText(np.arange(sum(lengths), dtype=np.uint16) + 100, starts)


def document_of(text: EncodedText, token: int) -> int:
    return sum(int(start) <= token - 100 for start in text.starts)


def test_packed_windows_tell_which_tokens_share_a_document():
    text = text_of(3, 4, 2)
    (batch,) = evaluation_batches(text, context=8, batch_size=1, documents="packed")
    assert batch["segment_ids"].tolist() == [[0, 0, 0, 1, 1, 1, 1, 2]]


def test_packed_training_windows_are_the_joined_ones_with_segments():
    text, options = text_of(5, 9, 2, 20), {"context": 6, "batch_size": 4, "seed": 3}
    packed = next(training_batches(text, **options, documents="packed"))
    joined = next(training_batches(text, **options))
    assert set(packed) == {"inputs", "targets", "segment_ids"}
    for name in joined:
        np.testing.assert_array_equal(packed[name], joined[name])
    for inputs, segments in zip(packed["inputs"], packed["segment_ids"], strict=True):
        same = [document_of(text, token) - document_of(text, inputs[0]) for token in inputs]
        assert segments.tolist() == same


def test_padded_windows_hold_a_document_each_and_predict_the_first_token_of_the_next():
    (batch,) = evaluation_batches(text_of(3, 6), context=4, batch_size=3, documents="padded")
    assert batch["inputs"].tolist() == [[100, 101, 102, 0], [103, 104, 105, 106], [107, 0, 0, 0]]
    assert batch["targets"].tolist() == [[101, 102, 103, 0], [104, 105, 106, 107], [108, 0, 0, 0]]
    assert batch["weights"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]


@pytest.mark.parametrize("documents", ["joined", "packed", "padded"])
@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=8).filter(lambda one: sum(one) > 1),
    context=st.integers(1, 12),
    batch_size=st.integers(1, 5),
)
def test_every_token_but_the_first_is_a_target_once(documents, lengths, context, batch_size):
    text = text_of(*lengths)
    batches = evaluation_batches(text, context=context, batch_size=batch_size, documents=documents)
    counted = np.concatenate([batch["targets"][batch["weights"] == 1] for batch in batches])
    np.testing.assert_array_equal(counted, text.ids[1:])
    for batch in batches:
        real = batch["weights"] == 1
        np.testing.assert_array_equal(batch["inputs"][real] + 1, batch["targets"][real])
        assert batch["inputs"].shape == (batch_size, context)
        assert batch["inputs"].dtype == batch["targets"].dtype == np.int32


@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 20), min_size=2, max_size=8), context=st.integers(1, 9))
def test_padded_rows_never_mix_documents(lengths, context):
    text = text_of(*lengths)
    batches = training_batches(text, context=context, batch_size=3, seed=0, documents="padded")
    for _ in range(5):
        batch = next(batches)
        for inputs, weights in zip(batch["inputs"], batch["weights"], strict=True):
            assert len({document_of(text, token) for token in inputs[weights == 1]}) == 1


def test_a_part_begins_with_what_is_left_of_a_document():
    part = text_of(3, 4, 2).part(1, 8)
    assert part.ids.tolist() == [101, 102, 103, 104, 105, 106, 107]
    assert part.starts.tolist() == [0, 2, 6]
