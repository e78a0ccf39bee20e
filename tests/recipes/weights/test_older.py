"""Files that have their tensors under the names of earlier years."""

import chex
import pytest
from our_rows import write_folder
from reference_rows import all_rows

from recipes.data import safetensors
from recipes.errors import RecipeError
from recipes.weights import load
from recipes.weights.folder import WEIGHTS, tensors_of
from recipes.weights.older import under_todays_names


def rename(folder, function) -> None:
    tensors = {function(name): stored.read() for name, stored in tensors_of(folder).items()}
    safetensors.write(folder / WEIGHTS, tensors)


def test_a_body_that_was_saved_alone_is_loaded(tmp_path):
    """The published file of GPT-2 names `h.0.attn.c_attn.weight`, without `transformer.`."""
    write_folder(all_rows()["gpt2"], tmp_path)
    expected = load(tmp_path).params
    rename(tmp_path, lambda name: name.removeprefix("transformer."))
    assert "wte.weight" in tensors_of(tmp_path)
    chex.assert_trees_all_equal(load(tmp_path).params, expected)


def test_a_body_with_a_name_that_no_model_has_is_left_over(tmp_path):
    write_folder(all_rows()["gpt2"], tmp_path)
    rename(tmp_path, lambda name: name.replace("transformer.", "body."))
    with pytest.raises(RecipeError, match=r"left over:  body\."):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "today"),
    [
        ("bert.LayerNorm.gamma", "bert.LayerNorm.weight"),
        ("LayerNorm.beta", "bert.LayerNorm.bias"),
        ("conv.weight_g", "conv.parametrizations.weight.original0"),
        ("conv.weight_v", "conv.parametrizations.weight.original1"),
    ],
)
def test_endings_of_earlier_years_are_known(name, today):
    assert under_todays_names({name: 0}, {today}) == {today: 0}


def test_what_is_wanted_by_its_name_keeps_it():
    tensors = {"a.LayerNorm.gamma": 1, "a.LayerNorm.weight": 2, "b.x": 3}
    assert under_todays_names(tensors, {"a.LayerNorm.weight", "a.b.x", "b.x"}) == tensors


def test_a_name_that_two_bodies_want_stays():
    assert under_todays_names({"x.weight": 1}, {"one.x.weight", "two.x.weight"}) == {"x.weight": 1}
