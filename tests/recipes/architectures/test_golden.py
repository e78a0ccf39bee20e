"""Every row of published architectures against what the reference library gave."""

import fnmatch
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from our_rows import difference, our_continuation, our_outputs, write_folder
from reference_rows import GOLDEN_TOKENS, Row, all_rows

from recipes.weights import Loaded, load, save
from recipes.weights.folder import CONFIG, WEIGHTS, read_json
from recipes.weights.load import model_of
from recipes.weights.safetensors import read_header

ROWS = all_rows()


class Written(NamedTuple):
    """A row's folder, what the reference gave, and what we load from it."""

    row: Row
    folder: Path
    golden: dict[str, np.ndarray]
    loaded: Loaded


@pytest.fixture(scope="module", params=ROWS)
def written(request, tmp_path_factory) -> Written:
    row, folder = ROWS[request.param], tmp_path_factory.mktemp(request.param)
    return Written(row, folder, write_folder(row, folder), load(folder))


def test_outputs_and_greedy_tokens_are_the_reference_s(written, record_property):
    row, _, golden, loaded = written
    vocab = row.config.get("vocab_size", 0)
    ours = our_outputs(row, loaded.model, loaded.params, vocab)
    largest = difference(row, ours, golden["output"])
    record_property("largest difference", (row.number, row.name, largest))
    assert largest <= 1e-4
    if "continued" in golden:
        drawn = our_continuation(row, loaded.model, loaded.params, vocab, GOLDEN_TOKENS)
        assert drawn.tolist() == golden["continued"].tolist()


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
