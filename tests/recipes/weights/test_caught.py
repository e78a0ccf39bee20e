"""Mistakes in a table of names that leave every shape as it was show in the golden files."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from our_rows import difference, our_outputs, write_folder
from reference_rows import Row, all_rows

from blocks import RoPE, override
from recipes.weights import Tensor, families, load


def largest_difference(row: Row, folder: Path, model: Any = None) -> float:
    """Of the logits, with another model than that of the folder if one is given."""
    golden = write_folder(row, folder)
    loaded = load(folder)
    ours = our_outputs(row, model or loaded.model, loaded.params, row.config["vocab_size"])
    return difference(row, ours, golden["output"])


def test_a_transposed_square_kernel_is_caught(tmp_path, monkeypatch):
    """GPT-2's `c_proj` is square: read as `Linear` has it, it fits, and the logits do not."""
    row = all_rows()["gpt2"]
    assert largest_difference(row, tmp_path) <= 1e-4
    family = families._FAMILIES["gpt2"]

    def wrong(config):
        key = "stack/layer_{i}/attention/out"
        return {**family.names(config), key: Tensor(family.names(config)[key].name, (1, 0))}

    changed = dataclasses.replace(family, names=wrong)
    monkeypatch.setitem(families._FAMILIES, "gpt2", changed)
    assert largest_difference(row, tmp_path) > 1e-2


@pytest.mark.parametrize("name", ["llama_2", "mistral"])
def test_the_other_layout_of_rotary_positions_is_caught(name, tmp_path):
    row = all_rows()[name]
    write_folder(row, tmp_path)
    model = load(tmp_path).model
    assert largest_difference(row, tmp_path, override(model, RoPE, interleaved=True)) > 1e-2


def test_the_interleaved_layout_read_as_halves_is_caught(tmp_path):
    row = all_rows()["gptj"]
    assert largest_difference(row, tmp_path) <= 1e-4
    model = override(load(tmp_path).model, RoPE, interleaved=False)
    assert largest_difference(row, tmp_path, model) > 1e-2
