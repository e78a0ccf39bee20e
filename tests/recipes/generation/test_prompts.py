"""Batches of prompts: what is padded, and what is refused."""

import jax
import numpy as np
import pytest

from recipes.errors import RecipeError
from recipes.generation.prompts import check_count, check_key, pad_left


def test_rows_of_different_lengths_are_padded_on_the_left():
    ids, real = pad_left([[1, 2, 3], [4]])
    assert ids.tolist() == [[1, 2, 3], [0, 0, 4]]
    assert real.tolist() == [[True] * 3, [False, False, True]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "prompt has no rows"),
        ([1, 2], r"prompt is one row of token ids.* Write prompt=\[ids\]"),
        (7, "prompt=7 must be rows of token ids"),
        ([[1], []], "Row 1 of prompt is empty"),
        ([[1.0, 2.0]], "Row 0 of prompt holds float64, and token ids are integers"),
        (np.zeros((1, 2, 3), int), r"Row 0 of prompt has the shape \(2, 3\)"),
        (["text"], "one row of token ids"),
        ([[True]], "Row 0 of prompt holds bool"),
    ],
)
def test_what_is_no_batch_of_token_ids_is_refused(rows, message):
    with pytest.raises(RecipeError, match=message):
        pad_left(rows)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_what_is_no_count_is_refused(count):
    with pytest.raises(RecipeError, match=f"tokens={count!r} must be a whole number"):
        check_count(tokens=count)


@pytest.mark.parametrize(
    "key", [0, None, np.zeros(2, np.uint32), jax.random.split(jax.random.key(0))]
)
def test_what_is_no_single_key_is_refused(key):
    with pytest.raises(RecipeError, match=r"Write key=jax.random.key\(0\)"):
        check_key(key)
