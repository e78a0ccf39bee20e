"""Folders of weights that lead elsewhere, are pickled or packed are refused, never opened."""

import ast
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sources import SOURCES, imported_by, python_files
from tensor_files import index

from recipes.data import safetensors
from recipes.errors import RecipeError
from recipes.weights import load
from recipes.weights.folder import WEIGHTS, tensors_of


class Trap:
    """A pickle of this touches the file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def words_in(path: Path) -> set[str]:
    """Names, attributes and keywords that a file uses."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    keys = {ast.Name: "id", ast.Attribute: "attr", ast.keyword: "arg"}
    return {getattr(node, keys[type(node)]) for node in nodes if type(node) in keys}


def uses(path: Path) -> set[str]:
    """What a file imports, and attributes of names: `pickle.load`."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return imported_by(path) | {ast.unparse(node) for node in nodes if type(node) is ast.Attribute}


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    "name",
    ["../secret.safetensors", "{}/secret.safetensors", "sub/x.safetensors", "..", ".", "", "a\\b"],
)
def test_an_index_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    (tmp_path / "model" / "sub").mkdir(parents=True)
    for place in ("secret.safetensors", "model/sub/x.safetensors"):
        safetensors.write(tmp_path / place, {"a": np.ones(1, np.float32)})
    name = name.replace("{}", str(tmp_path))
    index(tmp_path / "model", {"a": name})
    with pytest.raises(RecipeError) as caught:
        tensors_of(tmp_path / "model")
    assert f"names the file {name!r}, which is not in its folder" in caught.value.cause


@pytest.mark.fault(37)
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl", "model.ckpt"])
def test_pickled_weights_are_refused_and_never_read(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(RecipeError) as caught:
        tensors_of(tmp_path)
    assert name in caught.value.cause
    assert "save_pretrained" in caught.value.fix
    assert not (tmp_path / "sprung").exists()


@pytest.mark.fault(37)
def test_a_pickle_by_the_name_of_safetensors_is_refused_and_never_read(tmp_path):
    (tmp_path / WEIGHTS).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(RecipeError, match="is damaged"):
        tensors_of(tmp_path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.fault(37, 38, 40)
def test_no_code_of_ours_can_unpickle_unpack_or_run_a_text():
    """An archive can lead out of its folder or grow without end: none is ever opened."""
    opens = {"pickle", "cPickle", "cloudpickle", "marshal", "shelve", "dill", "joblib", "torch"}
    opens |= {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zlib", "yaml", "jsonpickle"}
    recipes, blocks = python_files(SOURCES / "recipes"), python_files(SOURCES / "blocks")
    assert not [str(path) for path in recipes if opens & imported_by(path)]
    # Blocks tell pickle how to write them, and never read one.
    unpickles = {f"pickle.{name}" for name in ("load", "loads", "Unpickler")}
    assert not [str(path) for path in blocks if (opens - {"pickle"} | unpickles) & uses(path)]
    words, files = {"unpack_archive", "allow_pickle", "Unpickler", "eval", "exec"}, recipes + blocks
    assert not [(str(path), used & words) for path in files if (used := words_in(path)) & words]


@pytest.mark.fault(38)
def test_an_archive_is_refused_and_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("../outside", "x")
        archive.writestr("config.json", '{"model_type": "llama"}')
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path / "model.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
