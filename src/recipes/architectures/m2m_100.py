"""M2M-100, and NLLB: norms before sublayers and at the end, XGLM's positions, no bias on logits.

References:
    Fan et al., Beyond English-Centric Multilingual Machine Translation, 2020, arXiv:2010.11125.
    NLLB Team, No Language Left Behind, 2022, arXiv:2207.04672.
"""

import dataclasses

from blocks import EncoderDecoder, LayerNorm, LMHead, PreNorm, override
from recipes.architectures import bart
from recipes.architectures.xglm import WAVES
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.only("pad_token_id", 1)  # Positions begin after it.
    config.ignore("max_position_embeddings")  # waves have no end
    model = bart.model_of(config, PreNorm(), norm=LayerNorm(), position=WAVES)
    return override(model, LMHead, use_bias=False)


BUFFERS = ("model.encoder.embed_positions.weights", "model.decoder.embed_positions.weights")
FAMILY = dataclasses.replace(
    bart.FAMILY,
    build=build,
    buffers=BUFFERS,
    defaults={"activation_function": "relu", "scale_embedding": True, "attention_dropout": 0.1},
)
register("m2m_100", FAMILY)
