"""Every row of published architectures against what the reference library gave."""

import pytest
from our_rows import difference, our_continuation, our_outputs, write_folder
from reference_rows import GOLDEN_TOKENS, all_rows

from recipes.weights import load

ROWS = all_rows()


@pytest.mark.parametrize("name", ROWS)
def test_outputs_and_greedy_tokens_are_the_reference_s(name, tmp_path, record_property):
    row = ROWS[name]
    golden = write_folder(row, tmp_path)
    loaded = load(tmp_path)
    vocab = row.config.get("vocab_size", 0)
    ours = our_outputs(row, loaded.model, loaded.params, vocab)
    largest = difference(row, ours, golden["output"])
    record_property("largest difference", largest)
    assert largest <= 1e-4
    if "continued" in golden:
        drawn = our_continuation(row, loaded.model, loaded.params, vocab, GOLDEN_TOKENS)
        assert drawn.tolist() == golden["continued"].tolist()
