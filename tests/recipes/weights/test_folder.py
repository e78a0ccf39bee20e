"""Folders of weights: what their index does not place, or what is missing, is refused."""

import numpy as np
import pytest
from tensor_files import index

from recipes.data import safetensors
from recipes.errors import RecipeError
from recipes.weights.folder import WEIGHTS, read_json, tensors_of


def array(*numbers: float) -> np.ndarray:
    return np.asarray(numbers, np.float32)


def test_the_tensors_of_all_files_that_the_index_names_are_found(tmp_path):
    safetensors.write(tmp_path / "one.safetensors", {"a": array(1)})
    safetensors.write(tmp_path / "two.safetensors", {"b": array(2)})
    index(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"})
    found = {name: tensor.read().tolist() for name, tensor in tensors_of(tmp_path).items()}
    assert found == {"a": [1.0], "b": [2.0]}


@pytest.mark.parametrize("name", ["gone.safetensors", "x" * 300, "a\0b", "\ud800"])
def test_an_index_that_names_a_missing_file_is_refused(tmp_path, name):
    index(tmp_path, {"a": name})
    with pytest.raises(RecipeError, match="which is missing"):
        tensors_of(tmp_path)


def test_a_tensor_that_the_index_places_in_another_file_is_named(tmp_path):
    safetensors.write(tmp_path / "one.safetensors", {"a": array(1), "b": array(2)})
    safetensors.write(tmp_path / "two.safetensors", {"c": array(3)})
    index(tmp_path, {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"})
    with pytest.raises(RecipeError, match=r"'one.safetensors' holds 'b'"):
        tensors_of(tmp_path)


def test_a_tensor_that_no_file_holds_is_named(tmp_path):
    safetensors.write(tmp_path / "one.safetensors", {"a": array(1)})
    index(tmp_path, {"a": "one.safetensors", "b": "one.safetensors"})
    with pytest.raises(RecipeError, match=r"places 'b' in 'one.safetensors'"):
        tensors_of(tmp_path)


@pytest.mark.parametrize("places", [None, [], "x", {"a": 1}, {"a": None}])
def test_an_index_of_another_form_is_refused(tmp_path, places):
    index(tmp_path, places)
    with pytest.raises(RecipeError, match="no weight_map"):
        tensors_of(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "7", "{", "[" * 100_000, '{"a": "\\ud8', "\0"])
def test_a_configuration_that_is_no_object_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RecipeError, match=r"is not (a JSON object|JSON)"):
        read_json(tmp_path / "config.json")


def test_a_folder_without_weights_says_what_it_needs(tmp_path):
    with pytest.raises(RecipeError, match=f"has no {WEIGHTS}"):
        tensors_of(tmp_path)
