"""RoBERTa: BERT of one token type, whose positions begin two rows further.

References:
    Liu et al., RoBERTa, 2019, arXiv:1907.11692.
    Conneau et al., XLM-R, 2019, arXiv:1911.02116.
"""

import dataclasses
from typing import Any

from blocks import Encoder, LearnedPositions, MaskedLMHead, TokenEmbedding, gelu, override
from recipes.architectures import bert
from recipes.architectures.tasks import register_tasks
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    # Positions count from the row after that of padding.
    offset = config.get("pad_token_id", 1) + 1
    length = config["max_position_embeddings"] - offset
    position = LearnedPositions(max_length=length, offset=offset)
    model = override(bert.build(config), TokenEmbedding, position=position)
    return override(model, MaskedLMHead, activation=gelu)  # whatever `hidden_act` is


def names(config: Config, model: str = "roberta") -> Names:
    """Name the weights as the reference does; `model` is its name of the encoder."""
    config.only("tie_word_embeddings", True)
    return {
        **bert.encoder_names("", model),
        "head/dense": "lm_head.dense",
        "head/norm": "lm_head.layer_norm",
        "head/head/bias": "lm_head.bias",
    }


def tied_to(model: str) -> dict[str, str]:
    """Tensors of the head that a file may hold twice; `model` is the name of the encoder."""
    table = f"{model}.embeddings.word_embeddings.weight"
    return {"lm_head.decoder.weight": table, "lm_head.decoder.bias": "lm_head.bias"}


FAMILY = dataclasses.replace(
    bert.FAMILY, build=build, names=names, tied=tied_to("roberta"), aside=("roberta.pooler.*",)
)
# Its classes have a layer of their own in place of the pooler.
CLASSES: dict[str, Any] = {"dense": "classifier.dense", "classes": "classifier.out_proj"}
for start in ("Roberta", "XLMRoberta"):
    register(f"{start}ForMaskedLM", FAMILY)
    register_tasks(start, "roberta", FAMILY, bert.encoder_names, **CLASSES)
