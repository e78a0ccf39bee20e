"""Models of two others: what cannot be a side of a pair is named."""

import pytest

from recipes.errors import RecipeError
from recipes.weights.load import model_of

BERT = {
    "model_type": "bert", "vocab_size": 64, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 4, "intermediate_size": 40, "max_position_embeddings": 20,
}  # fmt: skip
LLAMA = {
    "model_type": "llama", "vocab_size": 64, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 4, "intermediate_size": 40,
}  # fmt: skip


def pair(**sides):
    return {"model_type": "encoder-decoder", "encoder": BERT, "decoder": BERT, **sides}


def test_a_decoder_is_no_encoder():
    with pytest.raises(
        RecipeError, match=r"`encoder\.model_type`='llama', which is not an encoder"
    ):
        model_of(pair(encoder=LLAMA))


def test_a_decoder_that_has_no_form_with_a_source_is_named():
    with pytest.raises(RecipeError, match=r"`decoder\.model_type`='llama', which is not known"):
        model_of(pair(decoder=LLAMA))


def test_a_field_that_is_not_read_is_named_with_its_side():
    with pytest.raises(RecipeError, match=r"`decoder\.novelty`=3"):
        model_of(pair(decoder={**BERT, "novelty": 3}))


def test_sides_of_one_width_have_no_map_between_them():
    model, _, _ = model_of(pair())
    assert model.encoder.head is None
