"""Every row of published architectures against what the reference library gave."""

import fnmatch
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from our_rows import difference, our_continuation, our_outputs, write_folder
from reference_rows import GOLDEN, GOLDEN_TOKENS, Row, all_rows, family_of

from recipes.data.safetensors import read_header
from recipes.weights import Loaded, load, save
from recipes.weights.folder import CONFIG, WEIGHTS, read_json
from recipes.weights.load import model_of

ROWS = all_rows()


def first(group: Callable[[Row], str]) -> set[str]:
    """Names of the first row of each group."""
    return set({group(row): name for name, row in reversed(ROWS.items())}.values())


KINDS = first(lambda row: row.kind)


def rows(slow: set[str]) -> pytest.MarkDecorator:
    """All rows: the first of each kind by default, and `slow` ones for a change in CI.

    There the library itself stands for the others: in `test_live.py`, beside each family.
    """
    marks = {name: [pytest.mark.slow] for name in slow} | {name: [] for name in KINDS}
    others = [pytest.mark.slow, pytest.mark.further]
    params = [pytest.param(name, marks=marks.get(name, others)) for name in ROWS]
    return pytest.mark.parametrize("written", params, indirect=True, scope="module")


def generated() -> Iterator[Any]:
    """Rows that are continued: one of each kind, and the others as slow tests."""
    kinds = set()
    for name, row in ROWS.items():
        with np.load(GOLDEN / f"{name}.npz") as stored:
            if "continued" not in stored:
                continue
        marks = [pytest.mark.slow, pytest.mark.further] if row.kind in kinds else []
        yield pytest.param(name, marks=marks)
        kinds.add(row.kind)


GENERATED = [*generated()]


class Written(NamedTuple):
    """A row's folder, what the reference gave, and what we load from it."""

    row: Row
    folder: Path
    golden: dict[str, np.ndarray]
    loaded: Loaded


@pytest.fixture(scope="module")
def written(request, tmp_path_factory) -> Written:
    row, folder = ROWS[request.param], tmp_path_factory.mktemp(request.param)
    return Written(row, folder, write_folder(row, folder), load(folder))


@rows(slow=set())
def test_outputs_are_the_reference_s(written, record_property):
    row, _, golden, loaded = written
    ours = our_outputs(row, loaded.model, loaded.params, row.config.get("vocab_size", 0))
    largest = difference(row, ours, golden["output"])
    record_property("largest difference", (row.number, row.name, largest))
    assert largest <= 1e-4


@pytest.mark.parametrize("written", GENERATED, indirect=True, scope="module")
def test_greedy_tokens_are_the_reference_s(written):
    row, _, golden, loaded = written
    vocab = row.config.get("vocab_size", 0)
    drawn = our_continuation(row, loaded.model, loaded.params, vocab, GOLDEN_TOKENS)
    assert drawn.tolist() == golden["continued"].tolist()


@rows(slow=first(family_of))
def test_what_is_loaded_and_saved_has_the_same_bytes(written, tmp_path):
    save(tmp_path / "again", written.loaded.params, config=written.folder)
    before, after = (read_header(path / WEIGHTS) for path in (written.folder, tmp_path / "again"))
    _, family, _ = model_of(read_json(written.folder / CONFIG))
    unkept = (*family.tied, *family.buffers)
    for tensor, stored in before.items():
        if tensor in after or not any(fnmatch.fnmatchcase(tensor, name) for name in unkept):
            assert after[tensor].shape == stored.shape
            np.testing.assert_array_equal(after[tensor].read(), stored.read(), strict=True)
    assert not set(after) - set(before)
