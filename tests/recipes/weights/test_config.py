"""Configurations: what is read, and what nobody reads."""

import dataclasses

import pytest

from recipes.architectures import llama
from recipes.errors import RecipeError
from recipes.weights.config import Config
from recipes.weights.families import family_of, register
from recipes.weights.load import model_of

LLAMA = {
    "model_type": "llama", "vocab_size": 8, "hidden_size": 8, "intermediate_size": 12,
    "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip


def test_a_field_that_nobody_reads_is_an_error_that_names_it():
    with pytest.raises(RecipeError, match=r"`rope_twist`=3, which this family does not read"):
        model_of({**LLAMA, "rope_twist": 3})


@pytest.mark.parametrize("fields", [{"transformers_version": "9"}, {"eos_token_id": 1}])
def test_fields_that_change_nothing_are_let_be(fields):
    assert model_of({**LLAMA, **fields})[0] == model_of(LLAMA)[0]


def test_a_missing_field_is_named():
    fields = {name: value for name, value in LLAMA.items() if name != "hidden_size"}
    with pytest.raises(RecipeError, match="has no field `hidden_size`"):
        model_of(fields)


def test_a_value_without_a_part_is_refused_with_those_that_have_one():
    with pytest.raises(RecipeError, match=r"activation 'sinus'.* Known: gelu,"):
        model_of({**LLAMA, "hidden_act": "sinus"})
    with pytest.raises(RecipeError, match=r"`shape`='round', which is not supported"):
        Config({"shape": "round"}).only("shape", "flat")


def test_fields_of_a_part_are_read_and_named_with_it():
    config = Config({"text_config": {"depth": 2, "odd": 1}})
    assert config.part("text_config")["depth"] == 2
    with pytest.raises(RecipeError, match=r"`text_config.odd`=1"):
        config.finish()


def test_an_unknown_type_names_the_nearest():
    with pytest.raises(RecipeError, match=r"model_type='lama'.*'llama', the nearest"):
        model_of({**LLAMA, "model_type": "lama"})


def test_a_family_of_ones_own_is_found_by_its_type_and_not_replaced():
    other = dataclasses.replace(llama.FAMILY, buffers=("*.mine",))
    register("of_ones_own", other)
    assert family_of(Config({"model_type": "of_ones_own"})) == other
    with pytest.raises(ValueError, match="'of_ones_own' is registered with another family"):
        register("of_ones_own", llama.FAMILY)
