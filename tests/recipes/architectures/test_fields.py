"""Fields that a family has no part for are refused by name, not ignored."""

import json

import numpy as np
import pytest
from reference_rows import GOLDEN

from recipes.errors import RecipeError
from recipes.weights.load import model_of


def model_with(row, changes):
    with np.load(GOLDEN / f"{row}.npz") as stored:
        fields = json.loads(str(stored["config"]))
    return model_of({**fields, **changes})


@pytest.mark.parametrize("row", ["llama_2", "mistral", "minicpm3", "nomic_bert", "deepseek_v3"])
@pytest.mark.parametrize(
    "place", ["rope_parameters.partial_rotary_factor", "partial_rotary_factor"]
)
def test_part_of_a_head_is_turned_only_where_the_reference_does(row, place):
    rope = {"rope_type": "default", "rope_theta": 1e4}
    changes = {"rope_parameters": rope, "partial_rotary_factor": 0.5}
    if place.startswith("rope_parameters"):
        changes = {"rope_parameters": {**rope, "partial_rotary_factor": 0.5}}
    with pytest.raises(RecipeError, match=f"`{place}`=0.5"):
        model_with(row, changes)


def test_a_fraction_of_the_whole_head_is_accepted():
    rope = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0}
    model_with("llama_2", {"rope_parameters": rope})


def test_a_field_of_rotary_positions_that_nobody_reads_is_refused():
    rope = {"rope_type": "default", "rope_theta": 1e4, "spiral": 2}
    with pytest.raises(RecipeError, match=r"`rope_parameters\.spiral`=2"):
        model_with("llama_2", {"rope_parameters": rope})


@pytest.mark.parametrize("row", ["qwen3_next", "qwen3_5", "kimi_linear"])
def test_the_activation_of_convolutions_is_silu(row):
    with pytest.raises(RecipeError, match="`hidden_act`='gelu'"):
        model_with(row, {"hidden_act": "gelu"})


@pytest.mark.parametrize("row", ["bert", "roberta", "albert", "distilbert", "electra_generator"])
def test_a_head_of_masked_tokens_is_tied(row):
    with pytest.raises(RecipeError, match="`tie_word_embeddings`=False"):
        model_with(row, {"tie_word_embeddings": False})


def test_the_head_of_kimi_is_never_tied():
    with pytest.raises(RecipeError, match="`tie_word_embeddings`=True"):
        model_with("kimi_linear", {"tie_word_embeddings": True})


def test_a_classifier_has_nothing_to_tie():
    model_with("bert_classifier", {"tie_word_embeddings": False})
