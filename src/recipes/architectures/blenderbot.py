"""Blenderbot: norms before sublayers and at the end, learned positions from the first row.

References:
    Roller et al., Recipes for building an open-domain chatbot, 2020, arXiv:2004.13637.
"""

import dataclasses

from blocks import EncoderDecoder, LayerNorm, LearnedPositions, PreNorm
from recipes.architectures import bart
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    position = LearnedPositions(max_length=config["max_position_embeddings"])
    return bart.model_of(config, PreNorm(), norm=LayerNorm(), position=position)


FAMILY = dataclasses.replace(bart.FAMILY, build=build)
register("blenderbot", FAMILY)
