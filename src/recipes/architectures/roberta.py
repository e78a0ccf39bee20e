"""RoBERTa: BERT of one token type, whose positions begin two rows further.

References:
    Liu et al., RoBERTa, 2019, arXiv:1907.11692.
    Conneau et al., XLM-R, 2019, arXiv:1911.02116.
"""

import dataclasses

from blocks import Encoder, LearnedPositions, TokenEmbedding, override
from recipes.architectures import bert
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    # Positions count from the row after that of padding.
    offset = config.get("pad_token_id", 1) + 1
    length = config["max_position_embeddings"] - offset
    position = LearnedPositions(max_length=length, offset=offset)
    return override(bert.build(config), TokenEmbedding, position=position)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.ignore("tie_word_embeddings")
    return {
        **bert.encoder_names("", "roberta"),
        "head/dense": "lm_head.dense",
        "head/norm": "lm_head.layer_norm",
        "head/head/bias": "lm_head.bias",
    }


TIED = {
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
FAMILY = dataclasses.replace(bert.FAMILY, build=build, names=names, tied=TIED)
for kind in ("RobertaForMaskedLM", "XLMRobertaForMaskedLM"):
    register(kind, FAMILY)
