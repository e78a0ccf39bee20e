"""Weights that are not a model's: every kind of mistake in one error, with both names."""

import numpy as np
import pytest
from our_rows import write_folder
from reference_rows import all_rows

from recipes.data import safetensors
from recipes.errors import RecipeError
from recipes.weights import load
from recipes.weights.folder import WEIGHTS, tensors_of


def report(folder, *, drop=(), put=()) -> str:
    """The error after tensors were dropped and others put in."""
    tensors = {name: stored.read() for name, stored in tensors_of(folder).items()}
    kept = {name: array for name, array in tensors.items() if name not in drop}
    safetensors.write(folder / WEIGHTS, {**kept, **dict(put)})
    with pytest.raises(RecipeError) as caught:
        load(folder)
    return caught.value.cause


def test_missing_misshapen_and_left_over_tensors_are_reported_together(tmp_path):
    write_folder(all_rows()["llama_2"], tmp_path)
    few = np.zeros((3, 5), np.float32)
    text = report(
        tmp_path,
        drop=["model.norm.weight"],
        put={"model.layers.1.mlp.up_proj.weight": few, "model.layers.7.extra": few},
    )
    lines = [line.strip() for line in text.splitlines()]
    assert "missing:    model.norm.weight (24,), for norm/scale" in lines
    assert (
        "misshapen:  model.layers.1.mlp.up_proj.weight (3, 5), "
        "where stack/layer_1/mlp/up/kernel takes (40, 24)"
    ) in lines
    assert "left over:  model.layers.7.extra (3, 5), which no parameter takes" in lines


def test_many_mistakes_of_one_kind_do_not_hide_another(tmp_path):
    write_folder(all_rows()["llama_2"], tmp_path)
    names = [name for name in tensors_of(tmp_path) if "layers" in name]
    text = report(tmp_path, drop=names, put={"body.x": np.zeros(3, np.float32)})
    assert "left over:  body.x (3,)" in text
    assert f"and {len(names) - 8} more missing" in text


def test_a_second_copy_of_a_tied_tensor_may_be_there(tmp_path):
    write_folder(all_rows()["gpt2"], tmp_path)
    table = tensors_of(tmp_path)["transformer.wte.weight"].read()
    tensors = {name: stored.read() for name, stored in tensors_of(tmp_path).items()}
    safetensors.write(tmp_path / WEIGHTS, {**tensors, "lm_head.weight": table})
    load(tmp_path)


@pytest.mark.parametrize("change", ["values", "shape"])
def test_a_second_copy_that_differs_is_refused(tmp_path, change):
    write_folder(all_rows()["gpt2"], tmp_path)
    table = tensors_of(tmp_path)["transformer.wte.weight"].read()
    other = table + 1 if change == "values" else table[:-1]
    text = report(tmp_path, put={"lm_head.weight": other})
    assert "lm_head.weight, which differs from transformer.wte.weight" in text


def test_a_head_of_another_task_is_left_aside_and_named(tmp_path):
    write_folder(all_rows()["bert"], tmp_path)
    tensors = {name: stored.read() for name, stored in tensors_of(tmp_path).items()}
    tensors["cls.seq_relationship.weight"] = np.zeros((2, 24), np.float32)
    safetensors.write(tmp_path / WEIGHTS, tensors)
    with pytest.warns(UserWarning, match=r"left aside, .*: cls\.seq_relationship\.weight"):
        loaded = load(tmp_path)
    assert "head" in loaded.params
