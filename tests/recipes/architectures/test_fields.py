"""What families read of a configuration: all that counts, and defaults that are the reference's."""

import json

import numpy as np
import pytest
from reference_rows import GOLDEN

from recipes.errors import RecipeError
from recipes.weights.load import model_of


def fields_of(row):
    with np.load(GOLDEN / f"{row}.npz") as stored:
        return json.loads(str(stored["config"]))


def model_with(row, changes):
    return model_of({**fields_of(row), **changes})[0]


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


@pytest.mark.parametrize("row", ["m2m_100", "xglm"])
def test_sinusoids_begin_after_the_usual_padding(row):
    with pytest.raises(RecipeError, match="`pad_token_id`=2"):
        model_with(row, {"pad_token_id": 2})


def test_a_classifier_has_nothing_to_tie():
    model_with("bert_classifier", {"tie_word_embeddings": False})


@pytest.mark.parametrize(
    ("row", "field", "default"),
    [
        ("gemma2", "attn_logit_softcapping", 50.0),
        ("gemma2", "sliding_window", 4096),
        ("olmo2", "rms_norm_eps", 1e-5),
        ("qwen3_next", "norm_topk_prob", True),
        ("m2m_100", "scale_embedding", True),
        ("deepseek_v3", "routed_scaling_factor", 2.5),
    ],
)
def test_a_field_that_is_missing_has_the_default_of_its_family(row, field, default):
    fields = fields_of(row)
    del fields[field]
    assert model_of(fields)[0] == model_with(row, {field: default})


def test_a_window_that_is_null_is_none():
    assert model_with("mistral", {"sliding_window": None}) != model_with(
        "mistral", {"sliding_window": 4096}
    )
