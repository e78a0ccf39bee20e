"""Rules for tables of rows and for parameters that are several tensors, read and written."""

import numpy as np
import pytest

from recipes.weights.rules import Joined, Rows, Tensor, sources_of

TABLE = np.arange(10.0, dtype=np.float32).reshape(1, 5, 2)


@pytest.mark.parametrize(
    ("start", "shape", "expected"),
    [
        (0, (1, 2), [[0.0, 1.0]]),
        (1, (2, 2, 2), [[[2.0, 3.0], [4.0, 5.0]], [[6.0, 7.0], [8.0, 9.0]]]),
    ],
)
def test_rows_of_a_table_are_taken_and_put_back(start, shape, expected):
    found = sources_of({"a": Rows("t", shape=TABLE.shape, start=start)}, "a", shape)
    assert found is not None
    (source,) = found
    assert source.take(TABLE).tolist() == expected
    written = np.zeros_like(TABLE)
    source.put(np.asarray(expected, np.float32), written)
    rows = slice(start, start + len(np.reshape(expected, (-1, 2))))
    assert written[0, rows].tolist() == TABLE[0, rows].tolist()
    assert written.sum() == TABLE[0, rows].sum()


def test_tensors_of_several_sizes_join_along_the_first_axis():
    rule = Joined((Tensor("one", shape=(1, 1, 4)), Tensor("two", shape=(1, 3, 4))), (1, 3))
    found = sources_of({"tokens": rule}, "tokens", (4, 4))
    assert found is not None
    first, second = found
    assert (first.rule.name, first.shape, first.place) == ("one", (1, 4), slice(0, 1))
    assert (second.rule.name, second.shape, second.place) == ("two", (3, 4), slice(1, 4))
    assert (first.stored, second.stored) == ((1, 1, 4), (1, 3, 4))
