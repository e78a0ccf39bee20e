"""Names on the hub, with a hub that the tests make."""

import sys
import types
from pathlib import Path

import pytest

from recipes.errors import RecipeError
from recipes.weights.hub import folder_of


class Hub:
    """A hub with one repository, which notes what it is asked for."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder, self.names = folder, names
        self.asked: list[tuple[str, str | None]] = []

    def snapshot_download(self, name: str, *, revision: str | None, allow_patterns: list[str]):
        self.asked.append((name, revision))
        if name != "owner/model":
            raise RuntimeError("404 Client Error\n\nRepository Not Found")
        for file in self.names:
            if any(Path(file).match(pattern) for pattern in allow_patterns):
                (self.folder / file).touch()
        return str(self.folder)


@pytest.fixture
def hub_of(tmp_path, monkeypatch):
    def make(*names: str) -> Hub:
        hub = Hub(tmp_path, *names)
        module = types.ModuleType("huggingface_hub")
        module.snapshot_download = hub.snapshot_download
        monkeypatch.setitem(sys.modules, "huggingface_hub", module)
        return hub

    return make


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_name_gives_the_files_of_its_revision_and_no_pickle_or_code(hub_of):
    safe = {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"}
    hub = hub_of(*safe, "pytorch_model.bin", "modeling.py", "flax_model.msgpack")
    assert files(folder_of("owner/model", "v1.0")) == safe
    assert set(hub.asked) == {("owner/model", "v1.0")}


def test_the_file_of_the_flax_class_comes_where_there_is_no_other(hub_of):
    hub_of("config.json", "pytorch_model.bin", "flax_model.msgpack")
    assert files(folder_of("owner/model")) == {"config.json", "flax_model.msgpack"}


def test_a_folder_goes_before_a_name(hub_of, tmp_path, monkeypatch):
    hub = hub_of()
    monkeypatch.chdir(tmp_path)
    Path("owner/model").mkdir(parents=True)
    assert folder_of("owner/model") == Path("owner/model")
    assert not hub.asked


@pytest.mark.parametrize("source", ["/no/such/folder", "./gone", "a/b/c", "..", "../x", "~/x", ""])
def test_what_is_no_name_is_not_asked_for(hub_of, source):
    hub = hub_of()
    assert folder_of(source) == Path(source)
    assert not hub.asked


def test_what_the_hub_does_not_have_is_one_sentence(hub_of):
    hub_of()
    with pytest.raises(RecipeError) as caught:
        folder_of("owner/gone")
    assert "'owner/gone' is not a folder" in caught.value.cause
    assert "Repository Not Found" in caught.value.cause
    assert "\n" not in str(caught.value)


def test_a_revision_of_a_folder_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="revision='main' is for names on the hub"):
        folder_of(tmp_path, "main")


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RecipeError) as caught:
        folder_of("owner/model")
    assert "linen-blocks[hf]" in caught.value.fix
