"""Pegasus: norms before sublayers and at the end, sines before cosines as positions.

References:
    Zhang et al., PEGASUS, 2019, arXiv:1912.08777.
"""

import dataclasses

from blocks import EncoderDecoder, LayerNorm, PreNorm, SinusoidalPositions
from recipes.architectures import bart
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.ignore("max_position_embeddings")  # waves have no end
    position = SinusoidalPositions(interleaved=False)
    return bart.model_of(config, PreNorm(), norm=LayerNorm(), position=position)


FAMILY = dataclasses.replace(bart.FAMILY, build=build)
register("pegasus", FAMILY)
