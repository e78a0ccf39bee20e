import json
from dataclasses import replace
from pathlib import Path

import pytest

from recipes.config import Recipe
from recipes.data import ByteTokenizer, CharTokenizer, Corpus
from recipes.differences import differences
from recipes.errors import RecipeError
from recipes.presets import PRESETS
from recipes.runs.folder import RunFolder
from recipes.runs.record import check_same_corpus, record, settled

CORPUS = Corpus("abc.txt", "abcabc")
TOKENIZER = CharTokenizer("abc")
QUICK = PRESETS["quick"]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A folder in which a run has been recorded."""
    folder = RunFolder(tmp_path)
    record(settled(QUICK, folder, TOKENIZER, CORPUS), folder, TOKENIZER, CORPUS)
    return folder


def test_what_was_left_open_is_settled(folder: RunFolder) -> None:
    found = Recipe.from_json(folder.read_config())
    assert found.model.vocab_size == 3
    assert found.optimizer.decay_steps == QUICK.trainer.max_steps
    assert found.model.scan is False
    assert found == settled(found, folder, TOKENIZER, CORPUS)


def test_the_digest_of_the_text_is_recorded(folder: RunFolder) -> None:
    # printf abcabc | sha256sum
    digest = "bbb59da3af939f7af5f360f2ceb80a496e3bae1cd87dde426db0ae40677e1c2c"
    expected = {"name": "abc.txt", "sha256": digest, "characters": 6, "documents": 1}
    assert folder.read_env()["corpus"] == expected


def test_how_long_to_train_may_change(folder: RunFolder) -> None:
    longer = replace(QUICK, trainer=replace(QUICK.trainer, max_steps=10_000))
    record(settled(longer, folder, TOKENIZER, CORPUS), folder, TOKENIZER, CORPUS)
    assert folder.read_config()["trainer"]["max_steps"] == 10_000
    assert folder.read_config()["optimizer"]["decay_steps"] == QUICK.trainer.max_steps


def test_a_run_from_before_a_setting_existed_has_its_default(folder: RunFolder) -> None:
    settings = folder.read_config()
    del settings["model"]["remat"]
    folder.config.write_text(json.dumps(settings))
    assert settled(QUICK, folder, TOKENIZER, CORPUS).model.remat == "none"
    assert Recipe.from_json(folder.read_config()).model.remat == "none"


def test_a_run_keeps_the_form_of_its_stack(folder: RunFolder) -> None:
    settings = folder.read_config()
    settings["model"]["num_layers"] = 48
    folder.config.write_text(json.dumps(settings))
    deep = replace(QUICK, model=replace(QUICK.model, num_layers=48))
    assert deep.model.scanned
    assert settled(deep, folder, TOKENIZER, CORPUS).model.scan is False


def test_a_run_keeps_the_parts_of_its_batches(folder: RunFolder) -> None:
    assert folder.read_config()["trainer"]["accumulate"] == 1
    settings = folder.read_config()
    settings["trainer"]["accumulate"] = 4  # as another device may have chosen
    folder.config.write_text(json.dumps(settings))
    assert settled(QUICK, folder, TOKENIZER, CORPUS).trainer.accumulate == 4


def test_other_settings_are_refused_and_change_nothing(folder: RunFolder) -> None:
    before = folder.config.read_bytes()
    other = replace(QUICK, model=replace(QUICK.model, num_layers=7), batch_size=99)
    with pytest.raises(RecipeError, match=r"batch_size is \d+ in the run and 99 now; model.num_l"):
        settled(other, folder, TOKENIZER, CORPUS)
    assert folder.config.read_bytes() == before


def test_another_tokenizer_is_refused(folder: RunFolder) -> None:
    with pytest.raises(RecipeError, match="with the tokenizer 'characters', not 'bytes'"):
        settled(QUICK, folder, ByteTokenizer(), CORPUS)


def test_another_text_of_the_same_letters_is_refused(folder: RunFolder) -> None:
    with pytest.raises(RecipeError, match="is not the text that the run was trained on"):
        settled(QUICK, folder, TOKENIZER, Corpus("abc.txt", "abccba"))


def test_the_same_text_by_another_name_is_the_same(folder: RunFolder) -> None:
    check_same_corpus(folder, Corpus("elsewhere.txt", "abcabc"))


def test_differences_are_named_with_both_values() -> None:
    recorded = {"a": 1, "b": {"c": 2, "d": 3, "gone": 4}}
    given = {"a": 1, "b": {"c": 5, "d": 3}, "new": None}
    assert differences(recorded, given) == [
        "b.c is 2 in the run and 5 now",
        "b.gone is 4 in the run and absent now",
        "new is absent in the run and None now",
    ]
