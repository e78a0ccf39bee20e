"""Every row of published architectures against what the reference library gave."""

import fnmatch

import numpy as np
import pytest
from our_rows import difference, our_continuation, our_outputs, write_folder
from reference_rows import GOLDEN_TOKENS, all_rows

from recipes.weights import load, save
from recipes.weights.folder import CONFIG, WEIGHTS, read_json
from recipes.weights.load import model_of
from recipes.weights.safetensors import read_header

ROWS = all_rows()


@pytest.mark.parametrize("name", ROWS)
def test_outputs_and_greedy_tokens_are_the_reference_s(name, tmp_path, record_property):
    row = ROWS[name]
    golden = write_folder(row, tmp_path)
    loaded = load(tmp_path)
    vocab = row.config.get("vocab_size", 0)
    ours = our_outputs(row, loaded.model, loaded.params, vocab)
    largest = difference(row, ours, golden["output"])
    record_property("largest difference", (row.number, name, largest))
    assert largest <= 1e-4
    if "continued" in golden:
        drawn = our_continuation(row, loaded.model, loaded.params, vocab, GOLDEN_TOKENS)
        assert drawn.tolist() == golden["continued"].tolist()


@pytest.mark.parametrize("name", ROWS)
def test_what_is_loaded_and_saved_has_the_same_bytes(name, tmp_path):
    write_folder(ROWS[name], tmp_path)
    save(tmp_path / "again", load(tmp_path, tokenizer=False).params, config=tmp_path)
    before, after = (read_header(folder / WEIGHTS) for folder in (tmp_path, tmp_path / "again"))
    _, family, _ = model_of(read_json(tmp_path / CONFIG))
    unkept = (*family.tied, *family.buffers)
    for tensor, stored in before.items():
        if tensor in after or not any(fnmatch.fnmatchcase(tensor, name) for name in unkept):
            assert after[tensor].shape == stored.shape
            np.testing.assert_array_equal(after[tensor].read(), stored.read(), strict=True)
    assert not set(after) - set(before)
