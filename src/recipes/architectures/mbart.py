"""mBART: BART with norms before sublayers, and one at the end of encoder and decoder.

References:
    Liu et al., Multilingual Denoising Pre-training for Neural Machine Translation, 2020,
    arXiv:2001.08210.
"""

import dataclasses

from blocks import EncoderDecoder, LayerNorm, LearnedPositions, PreNorm
from recipes.architectures import bart
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    norm = LayerNorm()
    position = LearnedPositions(max_length=config["max_position_embeddings"], offset=2)
    return bart.model_of(config, PreNorm(), norm=norm, position=position, embedding_norm=norm)


FAMILY = dataclasses.replace(bart.FAMILY, build=build)
register("mbart", FAMILY)
