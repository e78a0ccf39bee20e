"""Folders of sentence encoders: the pooling that they name, and what is refused."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from our_rows import write_folder
from reference_rows import all_rows

from blocks import Context
from recipes.errors import RecipeError
from recipes.weights import load, save
from recipes.weights.sentences import MODULES

KINDS = ("Transformer", "Pooling", "Normalize")
TOKENS = jnp.array([[5, 9, 30, 41], [7, 8, 0, 0]])
VALID = jnp.array([[True] * 4, [True, True, False, False]])


def describe(folder, pooling, kinds=KINDS, place="1_Pooling") -> None:
    """Say how tokens become one vector, as sentence-transformers does."""
    paths = {"Transformer": "", "Pooling": place}
    modules = [
        {"idx": i, "type": f"sentence_transformers.models.{kind}", "path": paths.get(kind, kind)}
        for i, kind in enumerate(kinds)
    ]
    (folder / MODULES).write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


@pytest.fixture
def folder(tmp_path):
    write_folder(all_rows()["bert_pooler"], tmp_path)
    return tmp_path


def hidden(loaded):
    arguments = TOKENS, Context(valid=VALID)
    return loaded.model.apply({"params": loaded.params}, *arguments, method="hidden")


@pytest.mark.filterwarnings("ignore:left aside")
@pytest.mark.parametrize(
    "pooling",
    [{"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, {"pooling_mode": "mean"}],
    ids=["before", "now"],
)
def test_the_mean_of_real_tokens_has_length_one(folder, pooling):
    describe(folder, {"word_embedding_dimension": 24, **pooling})
    loaded = load(folder)
    x = np.asarray(hidden(loaded))
    want = np.stack([x[0].mean(axis=0), x[1, :2].mean(axis=0)])
    want /= np.linalg.norm(want, axis=1, keepdims=True)
    got = loaded.model.apply({"params": loaded.params}, TOKENS, Context(valid=VALID))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:left aside")
def test_the_class_token_without_a_norm(folder):
    describe(folder, {"pooling_mode_cls_token": True}, kinds=KINDS[:2])
    loaded = load(folder)
    got = loaded.model.apply({"params": loaded.params}, TOKENS, Context(valid=VALID))
    np.testing.assert_allclose(got, hidden(loaded)[:, 0], rtol=1e-6)


def test_the_pooler_that_is_not_used_is_named(folder):
    describe(folder, {"pooling_mode": "mean"})
    with pytest.warns(UserWarning, match=r"left aside, .*pooler\.dense\.weight"):
        load(folder)


@pytest.mark.filterwarnings("ignore:left aside")
def test_a_saved_encoder_is_one_again(folder):
    describe(folder, {"pooling_mode": "cls"})
    loaded = load(folder)
    save(folder / "again", loaded.params, config=folder)
    again = load(folder / "again")
    assert again.model == loaded.model
    np.testing.assert_array_equal(hidden(again), hidden(loaded))


@pytest.mark.parametrize(
    ("pooling", "options", "message"),
    [
        ({"pooling_mode": ["mean", "max"]}, {}, "is mean and max, which is not"),
        ({"pooling_mode": "max"}, {}, "pooling of the folder is max"),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            {},
            "is cls and mean, which is not supported",
        ),
        ({"pooling_mode": "mean"}, {"kinds": (*KINDS, "Dense")}, "Normalize, Dense, which"),
        ({"pooling_mode": "mean"}, {"place": "../elsewhere"}, "Pooling in '../elsewhere'"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(folder, pooling, options, message):
    describe(folder, pooling, **options)
    with pytest.raises(RecipeError, match=message):
        load(folder)


def test_a_list_of_no_modules_is_refused(folder):
    (folder / MODULES).write_text('{"a": 1}')
    with pytest.raises(RecipeError, match="is not a list of modules"):
        load(folder)


def test_an_encoder_decoder_is_no_sentence_encoder(tmp_path):
    write_folder(all_rows()["t5"], tmp_path)
    describe(tmp_path, {"pooling_mode": "mean"})
    with pytest.raises(RecipeError, match=r"EncoderDecoder cannot be one\.\s+Remove modules\.json"):
        load(tmp_path)
