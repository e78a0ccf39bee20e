"""Folders of weights: what leads out of them, is pickled, packed or missing is refused."""

import ast
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sources import SOURCES, imported_by, python_files

from recipes.errors import RecipeError
from recipes.weights import load, safetensors
from recipes.weights.folder import INDEX, WEIGHTS, read_json, tensors_of


class Trap:
    """A pickle of this touches the file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def index(folder: Path, places: object) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


def words_in(path: Path) -> set[str]:
    """Names, attributes and keywords that a file uses."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    keys = {ast.Name: "id", ast.Attribute: "attr", ast.keyword: "arg"}
    return {getattr(node, keys[type(node)]) for node in nodes if type(node) in keys}


def array(*numbers: float) -> np.ndarray:
    return np.asarray(numbers, np.float32)


def test_the_tensors_of_all_files_that_the_index_names_are_found(tmp_path):
    safetensors.write(tmp_path / "one.safetensors", {"a": array(1)})
    safetensors.write(tmp_path / "two.safetensors", {"b": array(2)})
    index(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"})
    found = {name: tensor.read().tolist() for name, tensor in tensors_of(tmp_path).items()}
    assert found == {"a": [1.0], "b": [2.0]}


@pytest.mark.parametrize(
    "name",
    ["../secret.safetensors", "{}/secret.safetensors", "sub/x.safetensors", "..", ".", "", "a\\b"],
)
def test_an_index_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    (tmp_path / "model" / "sub").mkdir(parents=True)
    for place in ("secret.safetensors", "model/sub/x.safetensors"):
        safetensors.write(tmp_path / place, {"a": array(1)})
    name = name.replace("{}", str(tmp_path))
    index(tmp_path / "model", {"a": name})
    with pytest.raises(RecipeError) as caught:
        tensors_of(tmp_path / "model")
    assert f"names the file {name!r}, which is not in its folder" in caught.value.cause


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


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl", "model.ckpt"])
def test_pickled_weights_are_refused_and_never_read(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(RecipeError) as caught:
        tensors_of(tmp_path)
    assert name in caught.value.cause
    assert "save_pretrained" in caught.value.fix
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_by_the_name_of_safetensors_is_refused_and_never_read(tmp_path):
    (tmp_path / WEIGHTS).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(RecipeError, match="is damaged"):
        tensors_of(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_no_code_of_the_recipes_can_unpickle_or_unpack():
    """An archive can lead out of its folder or grow without end: none is ever opened."""
    opens = {"pickle", "marshal", "shelve", "dill", "joblib", "torch", "zipfile", "tarfile"}
    files = python_files(SOURCES / "recipes")
    assert not [str(path) for path in files if opens & imported_by(path)]
    words = {"unpack_archive", "allow_pickle", "eval", "exec"}
    assert not [(str(path), used & words) for path in files if (used := words_in(path)) & words]


def test_an_archive_is_refused_and_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("../outside", "x")
        archive.writestr("config.json", '{"model_type": "llama"}')
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path / "model.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]


@pytest.mark.parametrize("text", ["", "[]", "7", "{", "[" * 100_000, '{"a": "\\ud8', "\0"])
def test_a_configuration_that_is_no_object_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RecipeError, match="no JSON"):
        read_json(tmp_path / "config.json")


def test_a_folder_without_weights_says_what_it_needs(tmp_path):
    with pytest.raises(RecipeError, match=f"has no {WEIGHTS}"):
        tensors_of(tmp_path)
