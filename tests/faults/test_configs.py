"""Settings are numbers, texts and lists: none builds an object or imports a module."""

import json
import shutil
from pathlib import Path

import pytest
from small_recipe import SMALL, TEXT

from recipes.commands import main
from recipes.errors import RecipeError
from recipes.weights import load

pytestmark = pytest.mark.fault(40)

COMMAND = "touch sprung"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT)
    words = [*SMALL, "--data", str(folder / "text.txt"), "--run-dir", str(folder / "run")]
    assert main([*words, "--max-steps", "5"]) == 0
    return folder / "run"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: f"!!python/object/apply:os.system ['{COMMAND}']",
        lambda text: f"__import__('os').system('{COMMAND}')",
        lambda text: {**text, "py/object": "os.system", "py/reduce": [COMMAND]},
        lambda text: {**text, "_target_": "os.system", "_args_": [COMMAND]},
        lambda text: {**text, "model": {**text["model"], "_target_": "os.system"}},
        lambda text: {**text, "model": {**text["model"], "activation": "os.system"}},
        lambda text: {**text, "trainer": {"__reduce__": ["os.system", [COMMAND]]}},
        lambda text: {**text, "seed": {"__class__": "os.system"}},
    ],
    ids=["yaml", "python", "jsonpickle", "hydra", "part", "name", "reduce", "class"],
)
def test_a_config_that_would_build_objects_is_refused(run, tmp_path, monkeypatch, capsys, change):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "run")
    config = Path("run/config.json")
    content = change(json.loads(config.read_text()))
    config.write_text(content if isinstance(content, str) else json.dumps(content))
    written = config.read_bytes()

    assert main(["sample", "run"]) == 2

    first, second = capsys.readouterr().err.splitlines()
    assert "config.json" in first
    assert second.startswith("fix:   ")
    assert config.read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("field", ["auto_map", "trust_remote_code"])
def test_code_that_a_published_model_names_is_not_imported(tmp_path, field):
    (tmp_path / "modeling.py").write_text("open('sprung', 'w')")
    config = {"model_type": "mine", field: {"AutoModel": "modeling.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(RecipeError, match="'mine'"):
        load(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "modeling.py"}
